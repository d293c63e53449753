//! The datagrams that wait in a UDP socket.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::failure::Failure;
use super::hosts::HostId;
use super::socket_options::SocketOptions;
use super::watch::Watch;

/// A datagram on its way. Addresses are never IPv4-mapped.
#[derive(Clone, Debug)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) hosts: (HostId, HostId),
    /// The socket that sent it, for a refusal.
    pub(super) sender: super::table::Id,
    /// The number of that socket, for the record of the run.
    pub(super) flow: u32,
    pub(super) bytes: Box<[u8]>,
}

/// A UDP socket.
#[derive(Debug)]
pub(super) struct UdpQueue {
    pub(super) host: HostId,
    /// The number of the socket, and its place among events of one time.
    pub(super) number: u32,
    pub(super) tie: u64,
    pub(super) addr: SocketAddr,
    pub(super) port_serial: u32,
    pub(super) peer: Option<SocketAddr>,
    pub(super) is_v6: bool,
    pub(super) error: Option<Failure>,
    datagrams: VecDeque<(SocketAddr, Box<[u8]>)>,
    /// The memory of the datagrams.
    size: usize,
    pub(super) watch: Watch,
    pub(super) options: SocketOptions,
}

/// What Linux counts for a datagram besides its bytes, about.
const OVERHEAD: usize = 512;

impl UdpQueue {
    pub(super) fn new(
        host: HostId,
        (number, tie): (u32, u64),
        addr: SocketAddr,
        port_serial: u32,
        options: SocketOptions,
    ) -> UdpQueue {
        UdpQueue {
            host,
            number,
            tie,
            addr,
            port_serial,
            peer: None,
            is_v6: addr.is_ipv6(),
            error: None,
            datagrams: VecDeque::new(),
            size: 0,
            watch: Watch::default(),
            options,
        }
    }

    /// Adds a datagram. Returns `false` if the buffer is full: then it is lost.
    pub(super) fn push(&mut self, from: SocketAddr, bytes: Box<[u8]>) -> bool {
        if self.size >= self.options.receive_buffer {
            return false;
        }
        self.size += bytes.len() + OVERHEAD;
        self.datagrams.push_back((from, bytes));
        true
    }

    /// Returns the next datagram.
    pub(super) fn front(&self) -> Option<&(SocketAddr, Box<[u8]>)> {
        self.datagrams.front()
    }

    /// Removes the next datagram.
    pub(super) fn pop(&mut self) {
        if let Some((_, bytes)) = self.datagrams.pop_front() {
            self.size -= bytes.len() + OVERHEAD;
        }
        if self.datagrams.is_empty() {
            self.datagrams.shrink_to(4);
        }
    }
}
