//! The options of a TCP or UDP socket of a simulated world.
//!
//! The file is a part of `no_world`, too: the code of net that sets an option names it in either
//! case. Each protocol ignores the options of the other one.

use std::time::Duration;

/// The smallest and largest buffers of Linux, as getsockopt(2) returns them: twice
/// net.core.wmem_max.
const SEND_BUFFER_MIN: usize = 4_608;
const RECEIVE_BUFFER_MIN: usize = 2_304;
const BUFFER_MAX: usize = 2 * UDP_BUFFER;
/// net.core.rmem_default.
const UDP_BUFFER: usize = 212_992;

/// The options of a socket. An accepted connection has those of its listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SocketOptions {
    pub(crate) nodelay: bool,
    pub(crate) quickack: bool,
    pub(crate) keepalive: bool,
    pub(crate) linger: Option<Duration>,
    pub(crate) broadcast: bool,
    pub(crate) ttl: u32,
    pub(crate) tos: u8,
    pub(crate) tclass: u32,
    pub(crate) reuse_address: bool,
    pub(crate) reuse_port: bool,
    pub(crate) only_v6: bool,
    /// As getsockopt(2) returns it. `set_send_buffer` doubles.
    pub(crate) send_buffer: usize,
    pub(crate) receive_buffer: usize,
}

impl SocketOptions {
    /// The options of a new socket with buffers of these sizes.
    pub(super) fn new(send_buffer: usize, receive_buffer: usize) -> SocketOptions {
        SocketOptions {
            nodelay: false,
            quickack: true,
            keepalive: false,
            linger: None,
            broadcast: false,
            ttl: 64,
            tos: 0,
            tclass: 0,
            reuse_address: false,
            reuse_port: false,
            only_v6: false,
            send_buffer,
            receive_buffer,
        }
    }

    /// The options of a new UDP socket.
    pub(crate) fn of_udp() -> SocketOptions {
        SocketOptions::new(UDP_BUFFER, UDP_BUFFER)
    }

    /// Sets SO_SNDBUF as Linux does: it doubles the size, within its limits.
    pub(crate) fn set_send_buffer(&mut self, size: usize) {
        self.send_buffer = doubled(size, SEND_BUFFER_MIN);
    }

    /// Sets SO_RCVBUF as Linux does.
    pub(crate) fn set_receive_buffer(&mut self, size: usize) {
        self.receive_buffer = doubled(size, RECEIVE_BUFFER_MIN);
    }
}

fn doubled(size: usize, min: usize) -> usize {
    size.saturating_mul(2).clamp(min, BUFFER_MAX)
}
