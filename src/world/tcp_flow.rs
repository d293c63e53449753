//! A TCP connection: two ends, and the bytes of each direction.
//!
//! Positions count the bytes of a direction from its begin, as sequence numbers do. The FIN is one
//! position after the last byte. Both ends are in one value, so a byte is stored once, from the
//! write until the read. Invariant: `read <= arrived <= sent <= end`, and `acked <= arrived`.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::byte_queue::ByteQueue;
use super::failure::Failure;
use super::hosts::{HostId, mapped};
use super::socket_options::SocketOptions;
use super::table::Id;
use super::watch::Watch;

/// One of the two ends: 0 is the client's, 1 the server's.
pub(super) type Side = usize;

/// The bytes of one segment event, at most: a packet of Linux's segmentation offload.
pub(super) const SEGMENT: u64 = 64 * 1024;

#[derive(Debug)]
pub(super) struct Flow {
    /// The number of the connection, and its place among events of one time.
    pub(super) number: u32,
    pub(super) tie: u64,
    /// When the connect began.
    pub(super) started: u64,
    pub(super) ends: [End; 2],
    /// `halves[side]` are the bytes that `ends[side]` sends.
    pub(super) halves: [Half; 2],
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) host: HostId,
    pub(super) addr: SocketAddr,
    pub(super) state: EndState,
    /// The program has the socket, or may still accept it.
    pub(super) is_open: bool,
    /// The error that the next operation reports (SO_ERROR).
    pub(super) error: Option<Failure>,
    /// `shutdown(Read)` was called.
    pub(super) is_read_shut: bool,
    /// The socket is of IPv6, the addresses of IPv4.
    pub(super) is_mapped: bool,
    /// When the last packet of the peer arrived, for keep-alive.
    pub(super) heard_at: u64,
    pub(super) keepalive_probes: u8,
    pub(super) has_keepalive_event: bool,
    /// The number of its port in the table of the host. `None` if it shares that of a listener.
    pub(super) port_serial: Option<u32>,
    pub(super) watch: Watch,
    pub(super) options: SocketOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndState {
    /// The server's end before the SYN has arrived.
    Absent,
    /// The client's end: no answer yet.
    SynSent,
    /// The server's end: the listener's answer is on its way.
    SynReceived(Id),
    Open,
    /// Reset, timed out, or ended by both sides.
    Dead,
    /// The host crashed or was killed: it knows nothing of the connection.
    Gone,
}

/// The acknowledgements that are on their way to the sender.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ack {
    pub(super) at: u64,
    pub(super) upto: u64,
    /// The position up to which the receiver has buffer space.
    pub(super) edge: u64,
}

/// The bytes of one direction.
#[derive(Debug, Default)]
pub(super) struct Half {
    /// The bytes from `read` on: arrived, on their way, not sent.
    pub(super) bytes: ByteQueue,
    pub(super) read: u64,
    pub(super) arrived: u64,
    pub(super) sent: u64,
    /// What the sender knows: `acked` frees its send buffer, `edge` limits what it sends.
    pub(super) acked: u64,
    pub(super) edge: u64,
    /// The last edge that the receiver has sent.
    pub(super) told_edge: u64,
    pub(super) acks: VecDeque<Ack>,
    /// The writer has shut its direction down.
    pub(super) fin: bool,
    /// No packet arrives before an earlier one.
    pub(super) last_at: u64,
    /// Counts the times that the sender went back to the first byte that is lost. Packets of an
    /// earlier epoch come after the lost one: they are dropped.
    pub(super) epoch: u32,
    /// The retransmissions since the last acknowledgement.
    pub(super) retries: u32,
    pub(super) has_retry_event: bool,
    /// The writer waits for buffer space.
    pub(super) is_blocked: bool,
    pub(super) has_ack_event: bool,
}

impl Half {
    /// Returns the position after the last byte that was written.
    pub(super) fn written(&self) -> u64 {
        self.read + self.bytes.len() as u64
    }

    /// Returns the last position, with the FIN.
    pub(super) fn end(&self) -> u64 {
        self.written() + u64::from(self.fin)
    }

    /// Returns whether the FIN has arrived.
    pub(super) fn is_finished(&self) -> bool {
        self.fin && self.arrived == self.end()
    }

    /// Returns the number of bytes that the reader may take.
    pub(super) fn unread(&self) -> usize {
        (self.arrived.min(self.written()) - self.read) as usize
    }

    /// Returns the bytes that the send buffer holds.
    pub(super) fn unacked(&self) -> usize {
        self.written().saturating_sub(self.acked) as usize
    }

    /// Returns whether the window of the receiver stops the sender.
    pub(super) fn is_window_closed(&self) -> bool {
        self.sent < self.written() && self.sent >= self.edge
    }

    /// Handles the acknowledgements that have arrived.
    pub(super) fn take_acks(&mut self, now: u64) {
        while let Some(ack) = self.acks.front().copied().filter(|ack| ack.at <= now) {
            self.acks.pop_front();
            self.acked = self.acked.max(ack.upto);
            self.edge = self.edge.max(ack.edge);
        }
    }

    /// Removes what was not sent: the sender has ended.
    pub(super) fn abandon(&mut self) {
        let kept = self.sent.min(self.written()) - self.read;
        if self.fin && self.sent < self.end() {
            self.fin = false;
        }
        self.bytes.truncate(kept as usize);
    }
}

impl End {
    pub(super) fn new(host: HostId, addr: SocketAddr, options: SocketOptions) -> End {
        End {
            host,
            addr,
            state: EndState::Absent,
            is_open: false,
            error: None,
            is_read_shut: false,
            is_mapped: false,
            heard_at: 0,
            keepalive_probes: 0,
            has_keepalive_event: false,
            port_serial: None,
            watch: Watch::default(),
            options,
        }
    }

    /// Returns `addr` as this end's program sees it.
    pub(super) fn shown(&self, addr: SocketAddr) -> SocketAddr {
        if self.is_mapped { mapped(addr) } else { addr }
    }

    /// Returns whether the end neither sends nor has a program.
    pub(super) fn is_over(&self) -> bool {
        !self.is_open && matches!(self.state, EndState::Absent | EndState::Dead | EndState::Gone)
    }
}

impl Flow {
    /// Returns whether nobody can observe the connection any more.
    pub(super) fn is_over(&self) -> bool {
        self.ends.iter().all(End::is_over)
    }

    pub(super) fn hosts(&self, from: Side) -> (HostId, HostId) {
        (self.ends[from].host, self.ends[1 - from].host)
    }

    /// Returns whether a read would not wait.
    pub(super) fn is_readable(&self, side: Side) -> bool {
        let (end, half) = (&self.ends[side], &self.halves[1 - side]);
        let is_connected = end.state == EndState::Open;
        let is_ended = matches!(end.state, EndState::Dead | EndState::Gone);
        is_ended
            || end.error.is_some()
            || is_connected && (half.unread() > 0 || half.is_finished() || end.is_read_shut)
    }

    /// Returns whether a write would not wait.
    pub(super) fn is_writable(&self, side: Side) -> bool {
        let (end, half) = (&self.ends[side], &self.halves[side]);
        match end.state {
            EndState::Open => half.fin || half.unacked() < end.options.send_buffer,
            EndState::Dead | EndState::Gone => true,
            _ => end.error.is_some(),
        }
    }
}
