//! The ports of a host, and which socket a packet is for.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::failure::Failure;
use super::table::Id;

/// The ports that a system chooses from: those of Linux.
const EPHEMERAL: std::ops::Range<u16> = 32_768..61_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

/// A socket that has a port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) addr: IpAddr,
    /// The listener or the UDP socket. `None` for a TCP socket that does not listen.
    pub(super) socket: Option<Id>,
    /// An IPv6 wildcard address that does not include IPv4.
    pub(super) only_v6: bool,
    pub(super) reuse_address: bool,
    pub(super) reuse_port: bool,
    /// Tells equal sockets apart.
    pub(super) serial: u32,
}

/// The ports in use, by protocol and number.
#[derive(Debug, Default)]
pub(super) struct Ports {
    bound: BTreeMap<(Protocol, u16), Vec<Bound>>,
    serial: u32,
    /// The port that was chosen last.
    last: u16,
}

impl Ports {
    /// Takes the port of `addr`, or for port 0 chooses one. Returns the port and the serial number.
    ///
    /// # Errors
    ///
    /// `AddressInUse`: another socket has it, or all ports are in use.
    pub(super) fn bind(
        &mut self,
        protocol: Protocol,
        addr: SocketAddr,
        bound: Bound,
    ) -> Result<(u16, u32), Failure> {
        let port = match addr.port() {
            0 => self.choose(protocol).ok_or(Failure::AddressInUse)?,
            port => port,
        };
        let others = self.bound.entry((protocol, port)).or_default();
        if others.iter().any(|other| conflict(protocol, other, &bound)) {
            return Err(Failure::AddressInUse);
        }
        self.serial = self.serial.wrapping_add(1);
        others.push(Bound { serial: self.serial, ..bound });
        Ok((port, self.serial))
    }

    fn choose(&mut self, protocol: Protocol) -> Option<u16> {
        for _ in EPHEMERAL {
            self.last = match self.last {
                last if EPHEMERAL.contains(&(last + 1)) => last + 1,
                _ => EPHEMERAL.start,
            };
            if !self.bound.contains_key(&(protocol, self.last)) {
                return Some(self.last);
            }
        }
        None
    }

    /// Releases all ports. Serial numbers go on, so that a late release finds nothing.
    pub(super) fn clear(&mut self) {
        self.bound.clear();
    }

    /// Changes an entry.
    pub(super) fn change(
        &mut self,
        protocol: Protocol,
        port: u16,
        serial: u32,
        change: impl FnOnce(&mut Bound),
    ) {
        let mut bound = self.bound.get_mut(&(protocol, port)).into_iter().flatten();
        if let Some(bound) = bound.find(|bound| bound.serial == serial) {
            change(bound);
        }
    }

    /// Returns whether another socket listens on the same port and address, so that this one
    /// cannot.
    pub(super) fn is_listened(&self, protocol: Protocol, port: u16, own: &Bound) -> bool {
        let others = self.bound.get(&(protocol, port)).into_iter().flatten();
        let mut listening =
            others.filter(|other| other.socket.is_some() && other.serial != own.serial);
        listening.any(|other| overlap(other, own) && !(other.reuse_port && own.reuse_port))
    }

    pub(super) fn release(&mut self, protocol: Protocol, port: u16, serial: u32) {
        if let Some(bound) = self.bound.get_mut(&(protocol, port)) {
            bound.retain(|bound| bound.serial != serial);
            if bound.is_empty() {
                self.bound.remove(&(protocol, port));
            }
        }
    }

    /// Returns the socket that a packet to `to` is for: one bound to the address before one bound
    /// to a wildcard. `choice` chooses among those that share the port.
    pub(super) fn find(&self, protocol: Protocol, to: SocketAddr, choice: u64) -> Option<Id> {
        let bound = self.bound.get(&(protocol, to.port()))?;
        let exact = |bound: &&Bound| bound.addr == to.ip();
        let wildcard = |bound: &&Bound| {
            let is_family = bound.addr.is_ipv6() == to.is_ipv6();
            bound.addr.is_unspecified() && (is_family || bound.addr.is_ipv6() && !bound.only_v6)
        };
        pick(bound, exact, choice).or_else(|| pick(bound, wildcard, choice))
    }
}

fn pick(bound: &[Bound], fits: impl Fn(&&Bound) -> bool, choice: u64) -> Option<Id> {
    let sockets = || bound.iter().filter(|bound| bound.socket.is_some() && fits(bound));
    let count = sockets().count().max(1);
    sockets().nth((choice % count as u64) as usize)?.socket
}

/// Returns whether some packet could be for both.
fn overlap(one: &Bound, other: &Bound) -> bool {
    let covers = |one: &Bound, other: &Bound| {
        let is_family = one.addr.is_ipv6() == other.addr.is_ipv6();
        one.addr == other.addr
            || one.addr.is_unspecified() && (is_family || one.addr.is_ipv6() && !one.only_v6)
    };
    covers(one, other) || covers(other, one)
}

fn conflict(protocol: Protocol, one: &Bound, other: &Bound) -> bool {
    // SO_REUSEADDR: on UDP both share the port; on TCP unless one of them listens.
    let is_shared = one.reuse_address
        && other.reuse_address
        && (protocol == Protocol::Udp || one.socket.is_none() && other.socket.is_none());
    overlap(one, other) && !is_shared && !(one.reuse_port && other.reuse_port)
}
