//! Bytes between two ends on one host: a stream of Unix sockets, or a pipe.
//!
//! They move at once, without an event: as in a system, a write is readable when it returns.

use super::byte_queue::ByteQueue;
use super::failure::Failure;
use super::hosts::HostId;
use super::tcp_flow::Side;
use super::unix_queue::UnixName;
use super::watch::Watch;

/// A pipe of Linux holds this much; a smaller write moves whole or not at all (PIPE_BUF).
const PIPE_CAPACITY: usize = 64 * 1024;
const PIPE_WHOLE: usize = 4_096;
/// net.core.wmem_default of Linux.
const UNIX_CAPACITY: usize = 212_992;

/// A stream between two sockets, or a pipe from the end 0 to the end 1.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) host: HostId,
    pub(super) is_pipe: bool,
    pub(super) ends: [ChannelEnd; 2],
    /// `queues[side]` has the bytes that this side has written.
    pub(super) queues: [ByteQueue; 2],
}

#[derive(Debug, Default)]
pub(super) struct ChannelEnd {
    /// The program has the end, or may still accept it.
    pub(super) is_open: bool,
    /// The end neither reads nor writes: `shutdown`, or the other end closed.
    pub(super) is_read_shut: bool,
    pub(super) is_write_shut: bool,
    pub(super) error: Option<Failure>,
    /// The writer waits for capacity.
    pub(super) is_blocked: bool,
    pub(super) watch: Watch,
    pub(super) name: UnixName,
}

impl Channel {
    pub(super) fn pipe(host: HostId) -> Channel {
        Channel::new(host, true, [UnixName::default(), UnixName::default()])
    }

    pub(super) fn stream(host: HostId, names: [UnixName; 2]) -> Channel {
        Channel::new(host, false, names)
    }

    fn new(host: HostId, is_pipe: bool, names: [UnixName; 2]) -> Channel {
        let end = |name| ChannelEnd { is_open: true, name, ..ChannelEnd::default() };
        Channel { host, is_pipe, ends: names.map(end), queues: Default::default() }
    }

    /// Returns how many of `n` bytes may be written now.
    pub(super) fn capacity(&self, side: Side, n: usize) -> usize {
        let limit = if self.is_pipe { PIPE_CAPACITY } else { UNIX_CAPACITY };
        let free = limit - self.queues[side].len().min(limit);
        let is_whole = self.is_pipe && n <= PIPE_WHOLE;
        if is_whole && free < n { 0 } else { free.min(n) }
    }

    /// Returns whether the system reports the end as writable: for a stream, three quarters of the
    /// capacity are free.
    pub(super) fn is_writable(&self, side: Side) -> bool {
        let length = self.queues[side].len();
        let is_low = match self.is_pipe {
            true => length <= PIPE_CAPACITY - PIPE_WHOLE,
            false => length <= UNIX_CAPACITY / 4,
        };
        is_low || self.is_write_over(side)
    }

    pub(super) fn is_readable(&self, side: Side) -> bool {
        let end = &self.ends[side];
        self.queues[1 - side].len() > 0 || end.error.is_some() || self.is_read_over(side)
    }

    /// Returns whether no byte can come any more.
    pub(super) fn is_read_over(&self, side: Side) -> bool {
        let other = &self.ends[1 - side];
        self.ends[side].is_read_shut || other.is_write_shut || !other.is_open
    }

    /// Returns whether a write fails.
    pub(super) fn is_write_over(&self, side: Side) -> bool {
        let other = &self.ends[1 - side];
        self.ends[side].is_write_shut || other.is_read_shut || !other.is_open
    }
}
