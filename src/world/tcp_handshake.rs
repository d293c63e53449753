//! How a TCP connection begins: SYN, SYN-ACK, and the packet that completes it.

use std::net::SocketAddr;

use super::failure::Failure;
use super::hosts::{HostId, unmapped};
use super::ports::{Bound, Protocol};
use super::socket_options::SocketOptions;
use super::state::{Happening, Segment, State};
use super::table::Id;
use super::tcp_flow::{End, EndState, Flow, Half, Side};
use super::trace_entry::Kind;

/// The client gives up after this time: six repetitions of the SYN (net.ipv4.tcp_syn_retries).
const CONNECT_LIMIT: u64 = 127 * SECOND;
const SECOND: u64 = 1_000_000_000;

const CLIENT: Side = 0;
const SERVER: Side = 1;

impl State {
    /// Begins a connection from the port of a socket to `to`.
    pub(super) fn tcp_connect(
        &mut self,
        own: HostId,
        local: SocketAddr,
        port_serial: Option<u32>,
        to: SocketAddr,
        options: SocketOptions,
    ) -> Result<Id, Failure> {
        let (mut to, is_mapped) = unmapped(to);
        let (mut local, _) = unmapped(local);
        if to.ip().is_unspecified() {
            // As Linux does: "this host".
            to.set_ip(loopback(&to));
        }
        if local.ip().is_unspecified() {
            local.set_ip(self.hosts.source(own, to.ip()));
        }
        if local.is_ipv4() != to.is_ipv4() {
            return Err(Failure::FamilyNotSupported);
        }
        let server_host = self.hosts.of_addr(to.ip(), own);
        if local.ip().is_loopback() && server_host != own {
            // No packet with a loopback address leaves its host.
            return Err(Failure::InvalidArgument);
        }
        let port_serial = match port_serial {
            Some(serial) => serial,
            None => {
                let bound = Bound::of(local.ip(), &options);
                let ports = &mut self.hosts[own].ports;
                let (port, serial) = ports
                    .bind(Protocol::Tcp, local, bound)
                    .map_err(|_| Failure::AddressNotAvailable)?;
                local.set_port(port);
                serial
            }
        };
        self.flow_count += 1;
        let number = self.flow_count;
        let mut client = End::new(own, local, options);
        (client.state, client.is_open, client.is_mapped) = (EndState::SynSent, true, is_mapped);
        client.port_serial = Some(port_serial);
        let id = self.flows.insert(Flow {
            number,
            tie: self.tie(u64::from(number)),
            started: self.now,
            ends: [client, End::new(server_host, to, options)],
            halves: [Half::default(), Half::default()],
        });
        self.record(Kind::Connect, (own, server_host), number, u64::from(to.port()));
        self.transmit(id, SERVER, Segment::Syn, 0);
        Ok(id)
    }

    pub(super) fn syn_arrived(&mut self, id: Id) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let (tie, client_buffer) = (flow.tie, flow.ends[CLIENT].options.receive_buffer as u64);
        let end = &mut flow.ends[SERVER];
        if !matches!(end.state, EndState::Absent | EndState::Gone) {
            // The answer was lost.
            self.transmit(id, CLIENT, Segment::SynAck, 0);
            return;
        }
        let found = self.hosts[end.host].ports.find(Protocol::Tcp, end.addr, tie);
        let Some((found, listener)) =
            found.and_then(|found| Some((found, self.listeners.get_mut(found)?)))
        else {
            self.transmit(id, CLIENT, Segment::Reset, 0);
            return;
        };
        if listener.is_full() {
            return self.plan_handshake(id);
        }
        listener.half_open += 1;
        end.state = EndState::SynReceived(found);
        end.is_mapped = listener.addr.is_ipv6() && end.addr.is_ipv4();
        end.options = listener.options;
        let server_buffer = end.options.receive_buffer as u64;
        for (half, buffer) in flow.halves.iter_mut().zip([server_buffer, client_buffer]) {
            (half.edge, half.told_edge) = (buffer, buffer);
        }
        self.transmit(id, CLIENT, Segment::SynAck, 0);
    }

    pub(super) fn syn_ack_arrived(&mut self, id: Id) {
        let now = self.now;
        let Some(flow) = self.flows.get_mut(id) else { return };
        let end = &mut flow.ends[CLIENT];
        if matches!(end.state, EndState::Dead | EndState::Gone) {
            // The program closed the socket meanwhile, or its host started again.
            return self.send_reset(id, CLIENT);
        }
        if end.state == EndState::SynSent {
            (end.state, end.heard_at) = (EndState::Open, now);
            self.hosts.note(end.host, &mut end.watch, false, true);
            self.plan_keepalive(id, CLIENT);
        }
        self.transmit(id, SERVER, Segment::Established, 0);
    }

    /// The handshake is complete: the connection waits for `accept`.
    pub(super) fn established(&mut self, id: Id) {
        let now = self.now;
        let Some(flow) = self.flows.get_mut(id) else { return };
        let (number, route) = (flow.number, flow.hosts(SERVER));
        let end = &mut flow.ends[SERVER];
        let EndState::SynReceived(listener) = end.state else { return };
        let Some(listener) = self.listeners.get_mut(listener) else {
            // It closed meanwhile.
            return self.send_reset(id, SERVER);
        };
        listener.half_open -= 1;
        listener.queue.push_back(id);
        (end.state, end.is_open, end.heard_at) = (EndState::Open, true, now);
        self.hosts.note(listener.host, &mut listener.watch, true, false);
        let port = u64::from(end.addr.port());
        self.record(Kind::Accept, route, number, port);
        self.plan_keepalive(id, SERVER);
    }

    /// Has the handshake go on after a loss: 1, 3, 7, 15, 31, 63 s after the first SYN.
    pub(super) fn plan_handshake(&mut self, id: Id) {
        let Some(flow) = self.flows.get(id) else { return };
        let mut times = (1..=7).map(|n| flow.started + ((1 << n) - 1) * SECOND);
        if let Some(at) = times.find(|at| *at > self.now) {
            self.events.push(at, flow.tie, Happening::RetryHandshake(id));
        }
    }

    pub(super) fn retry_handshake(&mut self, id: Id) {
        let Some(flow) = self.flows.get(id) else { return };
        let is_answered = matches!(flow.ends[SERVER].state, EndState::SynReceived(_));
        match flow.ends[CLIENT].state {
            EndState::SynSent if self.now >= flow.started + CONNECT_LIMIT => {
                self.fail(id, CLIENT, Failure::TimedOut);
            }
            EndState::SynSent => {
                self.transmit(id, SERVER, Segment::Syn, 0);
            }
            EndState::Open if is_answered => {
                self.transmit(id, SERVER, Segment::Established, 0);
            }
            // The client's host has no power.
            _ if is_answered => self.reset_arrived(id, SERVER),
            _ => {}
        }
    }
}

fn loopback(to: &SocketAddr) -> std::net::IpAddr {
    match to {
        SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    }
}

impl Bound {
    /// Returns the entry of a TCP socket that does not listen.
    pub(super) fn of(addr: std::net::IpAddr, options: &SocketOptions) -> Bound {
        Bound {
            addr,
            socket: None,
            only_v6: options.only_v6,
            reuse_address: options.reuse_address,
            reuse_port: options.reuse_port,
            serial: 0,
        }
    }
}
