//! Receiving a datagram, and telling if it was cut. Windows.

use std::io;
use std::net::SocketAddr;

use mio::net::UdpSocket;

use super::messages::Take;
use super::truncated::Truncated;

/// WSAEMSGSIZE: the datagram is longer than the buffer.
const TOO_LONG: i32 = 10040;

pub(super) fn receive_udp(
    socket: &UdpSocket,
    buf: &mut [u8],
    take: Take,
) -> io::Result<(usize, SocketAddr)> {
    let received = match take {
        Take::Whole => socket.recv_from(buf),
        Take::None => socket.peek_from(buf),
    };
    received.map_err(|error| match error.raw_os_error() {
        Some(TOO_LONG) => Truncated { filled: buf.len(), length: None }.into(),
        _ => error,
    })
}
