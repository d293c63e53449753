//! The hosts of a world: names, addresses, clocks, and which of them have work.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

use super::host_clock::HostClock;
use super::ports::Ports;
use super::random::Random;
use super::watch::{ReadyList, Watch};

/// A host of the world. Numbers begin at 0, in the order in which the hosts are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct HostId(pub(crate) u32);

impl HostId {
    /// The host of the script, the first one.
    pub(crate) const SCRIPT: HostId = HostId(0);
    /// The place of an address that no host has: it never answers.
    pub(super) const NOWHERE: HostId = HostId(u32::MAX);
}

#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: Rc<str>,
    /// The system runs: it answers packets.
    pub(super) is_up: bool,
    /// The program runs, or may be started: it makes sockets.
    pub(super) is_alive: bool,
    pub(super) is_paused: bool,
    pub(super) clock: HostClock,
    pub(super) ready: ReadyList,
    pub(super) ports: Ports,
    /// When the host is turned next, and the time of the earliest event for that in the queue.
    pub(super) timer: Option<u64>,
    pub(super) timer_event: Option<u64>,
    /// The host has work; it is in the list of the runnable unless it is paused.
    has_work: bool,
}

#[derive(Debug, Default)]
pub(super) struct Hosts {
    hosts: Vec<Host>,
    /// The hosts that have work and are not paused, each once.
    runnable: Vec<HostId>,
    names: BTreeMap<Rc<str>, Vec<IpAddr>>,
}

impl Hosts {
    pub(super) fn add(&mut self, name: &str) -> HostId {
        let id = HostId(self.hosts.len() as u32);
        let name: Rc<str> = name.into();
        self.names.insert(name.clone(), vec![v6(id), v4(id)]);
        self.hosts.push(Host {
            name,
            is_up: true,
            is_alive: true,
            is_paused: false,
            clock: HostClock::default(),
            ready: ReadyList::default(),
            ports: Ports::default(),
            timer: None,
            timer_event: None,
            has_work: false,
        });
        id
    }

    pub(super) fn set_name(&mut self, name: &str, addrs: &[IpAddr]) {
        self.names.insert(name.into(), addrs.to_vec());
    }

    pub(super) fn addrs(&self, name: &str) -> Option<Vec<IpAddr>> {
        if name == "localhost" {
            return Some(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
        }
        self.names.get(name).cloned()
    }

    pub(super) fn len(&self) -> u32 {
        self.hosts.len() as u32
    }

    pub(super) fn get(&self, id: HostId) -> Option<&Host> {
        self.hosts.get(id.0 as usize)
    }

    pub(super) fn is_up(&self, id: HostId) -> bool {
        self.get(id).is_some_and(|host| host.is_up)
    }

    /// Returns the host that `addr` belongs to, as `own` sees it.
    pub(super) fn of_addr(&self, addr: IpAddr, own: HostId) -> HostId {
        let number = match addr {
            _ if addr.is_loopback() => return own,
            IpAddr::V4(v4) => u128::from(v4.to_bits().wrapping_sub(V4_NET)),
            IpAddr::V6(v6) => v6.to_bits().wrapping_sub(V6_NET),
        };
        match number.checked_sub(1) {
            Some(id) if id < self.hosts.len() as u128 => HostId(id as u32),
            _ => HostId::NOWHERE,
        }
    }

    /// Returns whether a socket of `own` may have this local address.
    pub(super) fn is_local(&self, addr: IpAddr, own: HostId) -> bool {
        addr.is_unspecified() || self.of_addr(addr, own) == own
    }

    /// Returns the local address of a packet of `own` to `to`.
    pub(super) fn source(&self, own: HostId, to: IpAddr) -> IpAddr {
        match to {
            _ if to.is_loopback() || self.of_addr(to, own) == own => to,
            IpAddr::V4(_) => v4(own),
            IpAddr::V6(_) => v6(own),
        }
    }

    /// Notes that a socket of the host is ready.
    pub(super) fn note(&mut self, id: HostId, watch: &mut Watch, readable: bool, writable: bool) {
        if watch.note(&mut self[id].ready, readable, writable) {
            self.mark_runnable(id);
        }
    }

    pub(super) fn mark_runnable(&mut self, id: HostId) {
        let host = &mut self.hosts[id.0 as usize];
        if host.is_alive && !host.has_work {
            host.has_work = true;
            if !host.is_paused {
                self.runnable.push(id);
            }
        }
    }

    /// Removes a runnable host from the list, and returns it.
    pub(super) fn next_runnable(&mut self, random: &mut Random) -> Option<HostId> {
        let at = match self.runnable.len() {
            0 => return None,
            1 => 0,
            count => random.below(count as u64) as usize,
        };
        let id = self.runnable.swap_remove(at);
        self[id].has_work = false;
        Some(id)
    }

    pub(super) fn set_paused(&mut self, id: HostId, is_paused: bool) {
        let host = &mut self.hosts[id.0 as usize];
        if host.is_paused == is_paused {
            return;
        }
        host.is_paused = is_paused;
        match is_paused {
            true => self.runnable.retain(|other| *other != id),
            false if host.has_work => self.runnable.push(id),
            false => {}
        }
    }

    /// Ends or begins a life of the host's program: it has no work, no timer and no events.
    pub(super) fn set_life(&mut self, id: HostId, is_up: bool, is_alive: bool) {
        self.runnable.retain(|other| *other != id);
        let host = &mut self[id];
        (host.is_up, host.is_alive) = (is_up, is_alive);
        (host.is_paused, host.has_work, host.timer) = (false, false, None);
        if !is_up {
            host.ports.clear();
        }
        host.ready.clear();
    }
}

impl std::ops::Index<HostId> for Hosts {
    type Output = Host;

    fn index(&self, id: HostId) -> &Host {
        &self.hosts[id.0 as usize]
    }
}

impl std::ops::IndexMut<HostId> for Hosts {
    fn index_mut(&mut self, id: HostId) -> &mut Host {
        &mut self.hosts[id.0 as usize]
    }
}

/// 192.168.0.0, a private network (RFC 1918).
const V4_NET: u32 = 0xc0a8_0000;
/// fd00::, a unique local network (RFC 4193).
const V6_NET: u128 = 0xfd00 << 112;

/// Returns the first IPv4 address of a host: 192.168.0.1 for host 0.
fn v4(id: HostId) -> IpAddr {
    Ipv4Addr::from_bits(V4_NET + id.0 + 1).into()
}

fn v6(id: HostId) -> IpAddr {
    Ipv6Addr::from_bits(V6_NET + u128::from(id.0) + 1).into()
}

/// Returns the IPv4 address inside an IPv4-mapped IPv6 address, and whether it was one.
pub(super) fn unmapped(addr: SocketAddr) -> (SocketAddr, bool) {
    if let SocketAddr::V6(v6) = addr {
        if let Some(v4) = v6.ip().to_ipv4_mapped() {
            return (SocketAddr::from((v4, v6.port())), true);
        }
    }
    (addr, false)
}

/// Returns `addr` as a socket of IPv6 shows it.
pub(super) fn mapped(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(v4) => SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port())),
        SocketAddr::V6(_) => addr,
    }
}
