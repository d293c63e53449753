//! What a world reports about its run: each event with its time, its hosts and its connection.

use super::hosts::HostId;
use super::random::hash;

/// What happened. The meaning of the entry's `number` is in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A timer of the host was due (its true time).
    Timer,
    /// A connection was begun (the port).
    Connect,
    /// A connection was accepted by the system of the listening host (the port).
    Accept,
    /// A connection was refused (the port).
    Refuse,
    /// Bytes left the host (how many).
    Send,
    /// Bytes arrived at the host (how many).
    Receive,
    SendFin,
    ReceiveFin,
    SendReset,
    ReceiveReset,
    /// The network lost a packet (its bytes).
    Lose,
    /// The network duplicated a datagram (its bytes).
    Duplicate,
    /// A packet was lost and sent again, or delayed (by how many nanoseconds).
    Delay,
    Partition,
    Heal,
    Hold,
    Release,
    /// The latency of a link changed (nanoseconds).
    Latency,
    Crash,
    Kill,
    Restart,
    Pause,
    Resume,
    /// The clock of the host was set (the offset in nanoseconds, an `i64`).
    Clock,
}

/// The record of a run: so far its hash and its length.
#[derive(Debug, Default)]
pub(super) struct Record {
    hash: u64,
    length: u64,
}

impl Record {
    pub(super) fn add(
        &mut self,
        nanos: u64,
        kind: Kind,
        (host, peer): (HostId, HostId),
        flow: u32,
        number: u64,
    ) {
        self.length += 1;
        let place = u64::from(host.0) << 32 | u64::from(peer.0);
        let what = u64::from(flow) << 8 | kind as u64;
        self.hash = hash(self.hash ^ nanos, place) ^ hash(what, number);
    }

    pub(super) fn hash(&self) -> u64 {
        hash(self.hash, self.length)
    }
}
