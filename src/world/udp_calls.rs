//! UDP: sending, arriving, and the system calls on a socket.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::failure::Failure;
use super::hosts::{HostId, mapped, unmapped};
use super::links::Way;
use super::ports::{Bound, Protocol};
use super::random::Stream;
use super::socket_options::SocketOptions;
use super::state::{Happening, Packet, State};
use super::table::Id;
use super::trace_entry::Kind;
use super::udp_queue::{Datagram, UdpQueue};

/// The longest datagrams: 65,535 bytes less the headers.
const IPV4_MAX: usize = 65_507;
const IPV6_MAX: usize = 65_527;

impl State {
    pub(super) fn udp_bind(
        &mut self,
        own: HostId,
        addr: SocketAddr,
        options: SocketOptions,
    ) -> Result<Id, Failure> {
        let (plain, _) = unmapped(addr);
        if !self.hosts.is_local(plain.ip(), own) {
            return Err(Failure::AddressNotAvailable);
        }
        let bound = Bound {
            addr: plain.ip(),
            socket: None,
            only_v6: options.only_v6,
            reuse_address: options.reuse_address,
            reuse_port: options.reuse_port,
            serial: 0,
        };
        let (port, serial) = self.hosts[own].ports.bind(Protocol::Udp, plain, bound)?;
        let addr = SocketAddr::new(addr.ip(), port);
        self.flow_count += 1;
        let number = self.flow_count;
        let place = (number, self.tie(u64::from(number)));
        let id = self.udp.insert(UdpQueue::new(own, place, addr, serial, options));
        let ports = &mut self.hosts[own].ports;
        ports.change(Protocol::Udp, port, serial, |bound| bound.socket = Some(id));
        Ok(id)
    }

    pub(super) fn close_udp(&mut self, id: Id) {
        let Some(mut socket) = self.udp.remove(id) else { return };
        let host = &mut self.hosts[socket.host];
        socket.watch.deregister(&mut host.ready);
        host.ports.release(Protocol::Udp, socket.addr.port(), socket.port_serial);
    }

    /// Sets the peer. As on Linux, a wildcard address becomes the one that reaches the peer.
    pub(super) fn udp_connect(&mut self, id: Id, to: SocketAddr) -> Result<(), Failure> {
        let socket = self.udp.get_mut(id).ok_or(Failure::NetworkDown)?;
        let mut to = destination(socket.is_v6, to)?;
        if to.ip().is_unspecified() {
            to.set_ip(loopback(to.is_ipv6()));
        }
        socket.peer = Some(to);
        if socket.addr.ip().is_unspecified() {
            let source = self.hosts.source(socket.host, to.ip());
            let source = SocketAddr::new(source, socket.addr.port());
            socket.addr = if socket.is_v6 { mapped(source) } else { source };
            let (host, port, serial) = (socket.host, socket.addr.port(), socket.port_serial);
            let ports = &mut self.hosts[host].ports;
            ports.change(Protocol::Udp, port, serial, |bound| bound.addr = source.ip());
        }
        Ok(())
    }

    pub(super) fn udp_send(
        &mut self,
        id: Id,
        buf: &[u8],
        to: Option<SocketAddr>,
    ) -> Result<usize, Failure> {
        let socket = self.udp.get_mut(id).ok_or(Failure::NetworkDown)?;
        let to = match to {
            Some(to) => destination(socket.is_v6, to)?,
            None => socket.peer.ok_or(Failure::DestinationRequired)?,
        };
        if buf.len() > if to.is_ipv4() { IPV4_MAX } else { IPV6_MAX } {
            return Err(Failure::MessageTooLong);
        }
        if let Some(failure) = socket.error.take() {
            return Err(failure);
        }
        if to.port() == 0 {
            return Err(Failure::InvalidArgument);
        }
        let mut to = to;
        if to.ip().is_unspecified() {
            to.set_ip(loopback(to.is_ipv6()));
        }
        let (own, flow) = (socket.host, socket.number);
        let (mut from, _) = unmapped(socket.addr);
        if from.ip().is_unspecified() {
            from.set_ip(self.hosts.source(own, to.ip()));
        }
        if to.ip() == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return self.udp_broadcast(id, from, to, buf);
        }
        let hosts = (own, self.hosts.of_addr(to.ip(), own));
        if from.ip().is_loopback() && hosts.1 != own {
            return Err(Failure::InvalidArgument);
        }
        self.send_datagram(Box::new(Datagram {
            from,
            to,
            hosts,
            sender: id,
            flow,
            bytes: buf.into(),
        }));
        Ok(buf.len())
    }

    /// Sends to all other hosts.
    fn udp_broadcast(
        &mut self,
        id: Id,
        mut from: SocketAddr,
        to: SocketAddr,
        buf: &[u8],
    ) -> Result<usize, Failure> {
        let socket = self.udp.get(id).ok_or(Failure::NetworkDown)?;
        if !socket.options.broadcast {
            return Err(Failure::PermissionDenied);
        }
        let (own, flow) = (socket.host, socket.number);
        for host in (0..self.hosts.len()).map(HostId).filter(|host| *host != own) {
            from.set_ip(self.hosts.source(own, to.ip()));
            let hosts = (own, host);
            let datagram = Datagram { from, to, hosts, sender: id, flow, bytes: buf.into() };
            self.send_datagram(Box::new(datagram));
        }
        Ok(buf.len())
    }

    fn send_datagram(&mut self, datagram: Box<Datagram>) {
        let (route, number, bytes) = (datagram.hosts, datagram.flow, datagram.bytes.len());
        self.record(Kind::Send, route, number, bytes as u64);
        let is_remote = route.0 != route.1;
        let way = self.way(route, bytes);
        if self.random_loss(route) {
            return self.record(Kind::Lose, route, number, bytes as u64);
        }
        let (duplicate, reorder) = (self.settings.duplicate, self.settings.reorder);
        if is_remote && self.random(Stream::Loss).chance(duplicate) {
            self.record(Kind::Duplicate, route, number, bytes as u64);
            let way = self.way_by(Stream::Loss, route, bytes);
            self.dispatch(datagram.clone(), way, 0);
        }
        let mut delay = 0;
        if is_remote && self.random(Stream::Loss).chance(reorder) {
            // The later ones overtake it.
            delay = 1 + self.links.usual_latency(route.0, route.1, &self.settings);
            self.record(Kind::Delay, route, number, delay);
        }
        self.dispatch(datagram, way, delay);
    }

    /// Sends a datagram that is not lost on its way. It takes `delay` longer than others.
    pub(super) fn dispatch(&mut self, datagram: Box<Datagram>, way: Way, delay: u64) {
        let (route, bytes) = (datagram.hosts, datagram.bytes.len());
        let tie = self.tie(u64::from(datagram.flow));
        match way {
            Way::Arrives(at) => {
                let happening = Happening::Packet(Packet::Udp(datagram));
                self.events.push(at.saturating_add(delay), tie, happening);
            }
            Way::Held => self.links.keep(route.0, route.1, Packet::Udp(datagram)),
            Way::Cut => self.record(Kind::Lose, route, datagram.flow, bytes as u64),
        }
    }

    pub(super) fn datagram_arrived(&mut self, datagram: Box<Datagram>) {
        let (from_host, host) = datagram.hosts;
        let bytes = datagram.bytes.len() as u64;
        let way = self.links.arrive(from_host, host, self.now);
        if way == Way::Held {
            return self.links.keep(from_host, host, Packet::Udp(datagram));
        }
        if way == Way::Cut || !self.hosts.is_up(host) {
            return self.record(Kind::Lose, datagram.hosts, datagram.flow, bytes);
        }
        let choice = self.tie(u64::from(datagram.from.port()));
        let found = self.hosts[host].ports.find(Protocol::Udp, datagram.to, choice);
        let Some(socket) = found.and_then(|found| self.udp.get_mut(found)) else {
            return self.send_refusal(datagram.sender, host, from_host);
        };
        if socket.peer.is_some_and(|peer| peer != datagram.from) {
            // Linux looks for another socket, and finds none.
            return self.send_refusal(datagram.sender, host, from_host);
        }
        let number = datagram.flow;
        if socket.push(datagram.from, datagram.bytes) {
            self.hosts.note(host, &mut socket.watch, true, false);
            self.record(Kind::Receive, (host, from_host), number, bytes);
        } else {
            self.record(Kind::Lose, (from_host, host), number, bytes);
        }
    }

    /// Reports to the sender of a datagram that its port is closed.
    pub(super) fn send_refusal(&mut self, socket: Id, from: HostId, to: HostId) {
        let tie = self.udp.get(socket).map_or(0, |socket| socket.tie);
        let packet = Packet::Unreachable { socket, from, to };
        match self.way((from, to), 0) {
            Way::Arrives(at) => self.events.push(at, tie, Happening::Packet(packet)),
            Way::Held => self.links.keep(from, to, packet),
            Way::Cut => {}
        }
    }

    pub(super) fn refusal_arrived(&mut self, socket: Id, from: HostId, to: HostId) {
        if self.links.arrive(from, to, self.now) == Way::Cut {
            return;
        }
        // As on Linux, only a connected socket hears of it.
        let socket = self.udp.get_mut(socket).filter(|socket| socket.peer.is_some());
        if let Some(socket) = socket {
            socket.error = Some(Failure::ConnectionRefused);
            let number = socket.number;
            self.hosts.note(to, &mut socket.watch, true, true);
            self.record(Kind::Refuse, (to, from), number, 0);
        }
    }

    /// Copies the next datagram, and returns its whole length. `is_peek` leaves it in the queue.
    pub(super) fn udp_receive(
        &mut self,
        id: Id,
        buf: &mut [u8],
        is_peek: bool,
    ) -> Result<(usize, SocketAddr), Failure> {
        let socket = self.udp.get_mut(id).ok_or(Failure::NetworkDown)?;
        if let Some(failure) = socket.error.take() {
            return Err(failure);
        }
        let (from, bytes) = socket.front().ok_or(Failure::WouldBlock)?;
        let n = bytes.len().min(buf.len());
        buf[..n].copy_from_slice(&bytes[..n]);
        let from = if socket.is_v6 { mapped(*from) } else { *from };
        let length = bytes.len();
        if !is_peek {
            socket.pop();
        }
        Ok((length, from))
    }
}

/// Checks the family of a destination, and returns it without an IPv4-mapped address.
fn destination(is_v6: bool, to: SocketAddr) -> Result<SocketAddr, Failure> {
    match is_v6 || to.is_ipv4() {
        true => Ok(unmapped(to).0),
        false => Err(Failure::FamilyNotSupported),
    }
}

fn loopback(is_v6: bool) -> IpAddr {
    if is_v6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() }
}
