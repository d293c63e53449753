//! The queue of a TCP listener.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::hosts::HostId;
use super::socket_options::SocketOptions;
use super::table::Id;
use super::watch::Watch;

/// net.core.somaxconn of Linux.
const BACKLOG_MAX: usize = 4_096;

/// A listening socket.
#[derive(Debug)]
pub(super) struct Backlog {
    pub(super) host: HostId,
    pub(super) addr: SocketAddr,
    pub(super) port_serial: u32,
    /// The connections that wait for `accept`.
    pub(super) queue: VecDeque<Id>,
    /// The connections whose handshake has begun.
    pub(super) half_open: usize,
    limit: usize,
    pub(super) watch: Watch,
    pub(super) options: SocketOptions,
}

impl Backlog {
    pub(super) fn new(
        host: HostId,
        addr: SocketAddr,
        port_serial: u32,
        limit: u32,
        options: SocketOptions,
    ) -> Backlog {
        let limit = BACKLOG_MAX.min(limit as usize);
        let (queue, watch) = Default::default();
        Backlog { host, addr, port_serial, queue, half_open: 0, limit, watch, options }
    }

    /// Returns whether the system drops a SYN. As on Linux, the queue holds one connection more
    /// than the backlog.
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() + self.half_open > self.limit
    }
}
