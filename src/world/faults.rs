//! Faults, and the handling of one event.

use super::hosts::HostId;
use super::settings::Latency;
use super::state::{Happening, Packet, State};
use super::table::Id;
use super::tcp_flow::{EndState, Side};
use super::trace_entry::Kind;

impl State {
    /// Handles an event. The time is that of the event.
    pub(super) fn handle(&mut self, happening: Happening) {
        match happening {
            Happening::Packet(Packet::Tcp(id, to, segment)) => {
                self.segment_arrived(id, to, segment)
            }
            Happening::Packet(Packet::Udp(datagram)) => self.datagram_arrived(datagram),
            Happening::Packet(Packet::Unreachable { socket, from, to }) => {
                self.refusal_arrived(socket, from, to);
            }
            Happening::Acks(id, side) => self.acks_arrived(id, side),
            Happening::Retry(id, side) => self.retry(id, side),
            Happening::RetryHandshake(id) => self.retry_handshake(id),
            Happening::KeepAlive(id, side) => self.keepalive(id, side),
            Happening::Timer(host) => self.timer(host),
        }
    }

    /// Sets the deadline of a host. There is an event at it or before: a later deadline costs
    /// nothing until that. The last instant never comes: a deadline that a clock cannot count is
    /// there, and one of a clock that stands still.
    pub(super) fn set_timer(&mut self, id: HostId, at: Option<u64>) {
        let host = &mut self.hosts[id];
        let at = at.filter(|at| *at < u64::MAX);
        host.timer = at;
        if let Some(at) = at.filter(|at| host.timer_event.is_none_or(|event| *at < event)) {
            host.timer_event = Some(at);
            let tie = self.host_tie(id);
            self.events.push(at.max(self.now), tie, Happening::Timer(id));
        }
    }

    fn timer(&mut self, id: HostId) {
        let host = &mut self.hosts[id];
        if host.timer_event.is_none_or(|event| event > self.now) {
            // An earlier event has taken its place.
            return;
        }
        host.timer_event = None;
        match host.timer {
            Some(at) if at <= self.now => {
                host.timer = None;
                self.hosts.mark_runnable(id);
                self.record(Kind::Timer, (id, id), 0, at);
            }
            later => self.set_timer(id, later),
        }
    }

    pub(super) fn partition(&mut self, from: HostId, to: HostId) {
        self.record(Kind::Partition, (from, to), 0, 0);
        self.links.set_cut(from, to, true);
    }

    pub(super) fn heal(&mut self, from: HostId, to: HostId) {
        self.record(Kind::Heal, (from, to), 0, 0);
        self.links.set_cut(from, to, false);
    }

    pub(super) fn hold(&mut self, from: HostId, to: HostId) {
        self.record(Kind::Hold, (from, to), 0, 0);
        self.links.hold(from, to);
    }

    pub(super) fn release(&mut self, from: HostId, to: HostId) {
        self.record(Kind::Release, (from, to), 0, 0);
        let packets = self.links.release(from, to);
        self.send_held(packets);
    }

    /// Sends packets that have waited. They were recorded, and their losses drawn, before.
    fn send_held(&mut self, packets: Vec<Packet>) {
        for packet in packets {
            match packet {
                Packet::Tcp(id, to, segment) => {
                    self.transmit(id, to, segment, 0);
                }
                Packet::Udp(datagram) => {
                    let way = self.way(datagram.hosts, datagram.bytes.len());
                    self.dispatch(datagram, way, 0);
                }
                Packet::Unreachable { socket, from, to } => self.send_refusal(socket, from, to),
            }
        }
    }

    pub(super) fn set_latency(&mut self, from: HostId, to: HostId, latency: Latency) {
        self.record(Kind::Latency, (from, to), 0, latency.usual_max());
        self.links.set_latency(from, to, latency);
    }

    pub(super) fn set_loss(&mut self, from: HostId, to: HostId, loss: f64) {
        self.record(Kind::Loss, (from, to), 0, (loss * 1e6) as u64);
        self.links.set_loss(from, to, loss);
    }

    pub(super) fn set_bandwidth(&mut self, from: HostId, to: HostId, bandwidth: u64) {
        self.record(Kind::Bandwidth, (from, to), 0, bandwidth);
        self.links.set_bandwidth(from, to, bandwidth);
    }

    /// Ends all faults of the network. Its latency and bandwidth are those of the settings.
    pub(super) fn calm(&mut self) {
        let own = self.own.unwrap_or(HostId::NOWHERE);
        self.record(Kind::Calm, (own, HostId::NOWHERE), 0, 0);
        let settings = &mut self.settings;
        (settings.loss, settings.duplicate, settings.reorder) = (0.0, 0.0, 0.0);
        let packets = self.links.calm();
        self.send_held(packets);
    }

    pub(super) fn reset(&mut self, one: HostId, other: HostId) -> usize {
        let route = [one, other];
        let flows = self.flows.iter().filter(|(_, flow)| {
            let (from, to) = flow.hosts(0);
            let is_open = flow.ends.iter().any(|end| end.state == EndState::Open);
            is_open && ([from, to] == route || [to, from] == route)
        });
        let ids: Vec<Id> = flows.map(|(id, _)| id).collect();
        ids.iter().for_each(|id| self.reset_flow(*id));
        ids.len()
    }

    pub(super) fn crash(&mut self, host: HostId) {
        self.record(Kind::Crash, (host, host), 0, 0);
        for end in self.ends_of(host) {
            self.lose_end(end);
        }
        for id in of_host(self.listeners.iter(), |listener| listener.host == host) {
            self.listeners.remove(id);
        }
        for id in of_host(self.udp.iter(), |socket| socket.host == host) {
            self.udp.remove(id);
        }
        self.close_local(host);
        self.hosts.set_life(host, false, false);
    }

    pub(super) fn kill(&mut self, host: HostId) {
        self.record(Kind::Kill, (host, host), 0, 0);
        for id in of_host(self.listeners.iter(), |listener| listener.host == host) {
            self.close_listener(id);
        }
        for end in self.ends_of(host) {
            self.tcp_close(end);
        }
        for id in of_host(self.udp.iter(), |socket| socket.host == host) {
            self.close_udp(id);
        }
        self.close_local(host);
        self.hosts.set_life(host, true, false);
    }

    /// Closes what no other host can observe: Unix sockets and pipes.
    fn close_local(&mut self, host: HostId) {
        for id in of_host(self.unix_listeners.iter(), |listener| listener.host == host) {
            self.close_unix_listener(id);
        }
        for id in of_host(self.unix_datagrams.iter(), |socket| socket.host == host) {
            self.close_unix_datagram(id);
        }
        for id in of_host(self.channels.iter(), |channel| channel.host == host) {
            self.channels.remove(id);
        }
    }

    pub(super) fn start(&mut self, host: HostId) {
        self.record(Kind::Restart, (host, host), 0, 0);
        self.hosts.set_life(host, true, true);
    }

    fn ends_of(&self, host: HostId) -> Vec<(Id, Side)> {
        let ends = self.flows.iter().flat_map(|(id, flow)| {
            let sides = [0, 1].into_iter().filter(|side| flow.ends[*side].host == host);
            sides.map(move |side| (id, side))
        });
        ends.collect()
    }

    pub(super) fn pause(&mut self, host: HostId, is_paused: bool) {
        let kind = if is_paused { Kind::Pause } else { Kind::Resume };
        self.record(kind, (host, host), 0, 0);
        self.hosts.set_paused(host, is_paused);
    }

    pub(super) fn set_clock(&mut self, host: HostId, offset: i64, drift_ppm: i64) {
        self.record(Kind::Clock, (host, host), 0, offset as u64);
        let now = self.now;
        self.hosts[host].clock.set(now, offset, drift_ppm);
        // Its deadline is at another true time now: the host computes it again.
        self.hosts.mark_runnable(host);
    }
}

fn of_host<'a, T: 'a>(
    sockets: impl Iterator<Item = (Id, &'a T)>,
    is_of: impl Fn(&T) -> bool,
) -> Vec<Id> {
    sockets.filter(|(_, socket)| is_of(socket)).map(|(id, _)| id).collect()
}
