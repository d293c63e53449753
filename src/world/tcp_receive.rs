//! What a TCP packet does where it arrives.

use super::failure::Failure;
use super::links::Way;
use super::state::{Happening, Packet, Segment, State};
use super::table::Id;
use super::tcp_flow::{Ack, EndState, Side};
use super::trace_entry::Kind;

/// net.ipv4.tcp_keepalive_time, _intvl and _probes of Linux.
const KEEPALIVE_TIME: u64 = 7_200_000_000_000;
const KEEPALIVE_INTERVAL: u64 = 75_000_000_000;
const KEEPALIVE_PROBES: u8 = 9;

impl State {
    /// A packet arrives at the end `to`.
    pub(super) fn segment_arrived(&mut self, id: Id, to: Side, segment: Segment) {
        let Some(flow) = self.flows.get(id) else { return };
        let (from_host, to_host) = flow.hosts(1 - to);
        match self.links.arrive(from_host, to_host, self.now) {
            Way::Cut => return self.segment_lost(id, to, segment),
            Way::Held => return self.links.keep(from_host, to_host, Packet::Tcp(id, to, segment)),
            Way::Arrives(_) => {}
        }
        if !self.hosts.is_up(to_host) {
            return self.segment_lost(id, to, segment);
        }
        match segment {
            Segment::Data { upto, epoch } => self.data_arrived(id, to, upto, epoch),
            Segment::Syn => self.syn_arrived(id),
            Segment::SynAck => self.syn_ack_arrived(id),
            Segment::Established => self.established(id),
            Segment::Ack { upto, edge } => {
                let at = self.now;
                if let Some(flow) = self.flows.get_mut(id) {
                    flow.halves[to].acks.push_back(Ack { at, upto, edge });
                }
                self.acks_arrived(id, to);
            }
            Segment::Reset => self.reset_arrived(id, to),
        }
    }

    fn data_arrived(&mut self, id: Id, to: Side, upto: u64, epoch: u32) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        if let EndState::SynReceived(_) = flow.ends[to].state {
            // The last packet of the handshake was lost: this one says the same.
            self.established(id);
            return self.accept_data(id, to, upto, epoch);
        }
        let (end, half) = (&flow.ends[to], &flow.halves[1 - to]);
        let has_bytes = upto.min(half.written()) > half.arrived;
        let is_dead = end.state == EndState::Dead || !end.is_open;
        let is_refused = end.is_read_shut && flow.halves[to].fin;
        let is_new = has_bytes && half.epoch == epoch;
        if end.state == EndState::Gone || is_dead && is_new {
            // No program can read the bytes: the system refuses them.
            return self.send_reset(id, to);
        }
        if is_refused && is_new {
            // Linux: a program that has shut both directions down has its end reset, too.
            self.send_reset(id, to);
            return self.fail(id, to, Failure::ConnectionReset);
        }
        self.accept_data(id, to, upto, epoch);
    }

    fn accept_data(&mut self, id: Id, to: Side, upto: u64, epoch: u32) {
        let now = self.now;
        let Some(flow) = self.flows.get_mut(id) else { return };
        let (route, number) = (flow.hosts(to), flow.number);
        let (end, half) = (&mut flow.ends[to], &mut flow.halves[1 - to]);
        if half.epoch != epoch {
            return;
        }
        let bytes = upto.min(half.written()).saturating_sub(half.arrived);
        half.arrived = half.arrived.max(upto);
        (end.heard_at, end.keepalive_probes) = (now, 0);
        let is_finished = half.is_finished();
        self.hosts.note(end.host, &mut end.watch, true, is_finished);
        if bytes > 0 {
            self.record(Kind::Receive, route, number, bytes);
        }
        self.acknowledge(id, to);
        if is_finished {
            self.record(Kind::ReceiveFin, route, number, 0);
            self.finish(id);
        }
    }

    /// Handles the arrival of a FIN: an end without a program is over, and both ends are if both
    /// sides have ended.
    fn finish(&mut self, id: Id) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let is_done = flow.halves.iter().all(|half| half.is_finished());
        for side in [0, 1] {
            let is_closed = !flow.ends[side].is_open && flow.halves[side].is_finished();
            let end = &mut flow.ends[side];
            if end.state == EndState::Open && (is_done || is_closed) {
                end.state = EndState::Dead;
                // The other direction may have been finished by a shutdown alone.
                let is_open = end.is_open;
                if is_open {
                    self.hosts.note(end.host, &mut end.watch, true, true);
                }
            }
        }
        self.bury(id);
    }

    /// The end `from` resets the connection.
    pub(super) fn send_reset(&mut self, id: Id, from: Side) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let (route, number) = (flow.hosts(from), flow.number);
        let end = &mut flow.ends[from];
        if end.state != EndState::Gone {
            end.state = EndState::Dead;
        }
        flow.halves[from].abandon();
        self.record(Kind::SendReset, route, number, 0);
        self.transmit(id, 1 - from, Segment::Reset, 0);
        self.bury(id);
    }

    /// A reset arrives at the end `to`. What arrived before stays readable.
    pub(super) fn reset_arrived(&mut self, id: Id, to: Side) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let (route, number, port) = (flow.hosts(to), flow.number, flow.ends[1].addr.port());
        let is_ended = flow.halves[1 - to].is_finished();
        let (kind, failure) = match flow.ends[to].state {
            EndState::Absent | EndState::Dead | EndState::Gone => return,
            EndState::SynSent => (Kind::Refuse, Failure::ConnectionRefused),
            // Linux: the peer had closed, so the reset answers bytes that were written after that.
            EndState::Open if is_ended => (Kind::ReceiveReset, Failure::BrokenPipe),
            EndState::Open => (Kind::ReceiveReset, Failure::ConnectionReset),
            EndState::SynReceived(listener) => {
                if let Some(listener) = self.listeners.get_mut(listener) {
                    listener.half_open -= 1;
                }
                (Kind::ReceiveReset, Failure::ConnectionReset)
            }
        };
        let number_of_kind = if kind == Kind::Refuse { u64::from(port) } else { 0 };
        self.record(kind, route, number, number_of_kind);
        self.fail(id, to, failure);
    }

    /// Begins the probes of an idle connection.
    pub(super) fn plan_keepalive(&mut self, id: Id, side: Side) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let (tie, end) = (flow.tie, &mut flow.ends[side]);
        let is_wanted = end.options.keepalive && end.state == EndState::Open;
        if is_wanted && !end.has_keepalive_event {
            end.has_keepalive_event = true;
            let at = match end.keepalive_probes {
                0 => end.heard_at + KEEPALIVE_TIME,
                _ => self.now + KEEPALIVE_INTERVAL,
            };
            // The option may be set long after the last packet.
            self.events.push(at.max(self.now), tie, Happening::KeepAlive(id, side));
        }
    }

    /// Asks the peer of an idle connection whether it is still there.
    pub(super) fn keepalive(&mut self, id: Id, side: Side) {
        let now = self.now;
        let Some(flow) = self.flows.get_mut(id) else { return };
        let (host, peer_host) = flow.hosts(side);
        let peer_state = flow.ends[1 - side].state;
        let end = &mut flow.ends[side];
        end.has_keepalive_event = false;
        if end.options.keepalive && end.state == EndState::Open {
            let is_idle = now >= end.heard_at + KEEPALIVE_TIME;
            let arrives = |from, to| matches!(self.links.arrive(from, to, now), Way::Arrives(_));
            let is_reached = self.hosts.is_up(peer_host) && arrives(host, peer_host);
            if is_idle && is_reached && matches!(peer_state, EndState::Gone | EndState::Dead) {
                return self.reset_arrived(id, side);
            } else if is_idle && is_reached && arrives(peer_host, host) {
                (end.heard_at, end.keepalive_probes) = (now, 0);
            } else if is_idle && end.keepalive_probes >= KEEPALIVE_PROBES {
                return self.fail(id, side, Failure::TimedOut);
            } else if is_idle {
                end.keepalive_probes += 1;
            }
        }
        self.plan_keepalive(id, side);
    }

    /// Releases what nobody can observe any more.
    pub(super) fn bury(&mut self, id: Id) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        for end in &mut flow.ends {
            let serial = if end.is_over() { end.port_serial.take() } else { None };
            if let Some(serial) = serial {
                let ports = &mut self.hosts[end.host].ports;
                ports.release(super::ports::Protocol::Tcp, end.addr.port(), serial);
            }
        }
        if flow.is_over() {
            self.flows.remove(id);
        }
    }
}
