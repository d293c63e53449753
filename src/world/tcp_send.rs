//! How TCP sends: segments, acknowledgements, and what is repeated.
//!
//! An acknowledgement becomes an event only if the sender waits for it. Else the sender handles it
//! when it writes next: a calm exchange of messages has one event a message.

use super::failure::Failure;
use super::links::Way;
use super::state::{Happening, Packet, Segment, State};
use super::table::Id;
use super::tcp_flow::{Ack, EndState, SEGMENT, Side};
use super::trace_entry::Kind;

/// TCP_RTO_MIN and TCP_RTO_MAX of Linux.
const RETRY_MIN: u64 = 200_000_000;
const RETRY_MAX: u64 = 120_000_000_000;
/// net.ipv4.tcp_retries2: with the times above, 924.6 s until the time-out.
const RETRIES: u32 = 15;
/// net.ipv4.tcp_orphan_retries: no program has the socket.
const ORPHAN_RETRIES: u32 = 8;
/// More losses of one packet do not add to its delay.
const LOSSES_MAX: u32 = 6;

impl State {
    /// Sends a packet to the end `to`. It arrives after all earlier ones of its direction.
    pub(super) fn transmit(&mut self, id: Id, to: Side, segment: Segment, bytes: usize) -> Way {
        let Some(flow) = self.flows.get(id) else { return Way::Cut };
        let (route, tie) = (flow.hosts(1 - to), flow.tie);
        let way = self.way(route, bytes);
        match way {
            Way::Arrives(at) => {
                let delay = self.loss_delay(id, route, 1 - to, segment);
                let Some(flow) = self.flows.get_mut(id) else { return Way::Cut };
                let half = &mut flow.halves[1 - to];
                half.last_at = half.last_at.max(at.saturating_add(delay));
                let packet = Packet::Tcp(id, to, segment);
                self.events.push(half.last_at, tie, Happening::Packet(packet));
            }
            Way::Held => self.links.keep(route.0, route.1, Packet::Tcp(id, to, segment)),
            Way::Cut => self.segment_lost(id, to, segment),
        }
        way
    }

    /// Returns the time that the losses of one packet cost: each a time-out of the sender.
    fn loss_delay(
        &mut self,
        id: Id,
        route: (super::hosts::HostId, super::hosts::HostId),
        side: Side,
        segment: Segment,
    ) -> u64 {
        let (mut losses, mut delay) = (0, 0);
        while losses < LOSSES_MAX && self.random_loss(route) {
            let first = match segment {
                Segment::Data { .. } | Segment::Ack { .. } => self.retry_time(id, side, 0),
                Segment::Syn | Segment::SynAck | Segment::Established => 1_000_000_000,
                // A lost RST is repeated by the next packet that arrives.
                Segment::Reset => RETRY_MIN,
            };
            delay += first << losses;
            losses += 1;
        }
        if delay > 0 {
            let number = self.flows.get(id).map_or(0, |flow| flow.number);
            self.record(Kind::Delay, route, number, delay);
        }
        delay
    }

    /// Sends what the window of the receiver allows.
    pub(super) fn pump(&mut self, id: Id, side: Side) {
        loop {
            let Some(flow) = self.flows.get_mut(id) else { return };
            let (route, number) = (flow.hosts(side), flow.number);
            let half = &mut flow.halves[side];
            let (sent, limit) = (half.sent, half.written().min(half.edge));
            let (kind, upto) = if sent < limit {
                (Kind::Send, limit.min(sent + SEGMENT))
            } else if half.fin && sent == half.written() {
                (Kind::SendFin, half.end())
            } else {
                return;
            };
            half.sent = upto;
            let segment = Segment::Data { upto, epoch: half.epoch };
            self.record(kind, route, number, upto - sent);
            if self.transmit(id, 1 - side, segment, (upto - sent) as usize) == Way::Cut {
                return;
            }
        }
    }

    /// Handles the loss of a packet to the end `to`: its link is cut or its host has no power.
    pub(super) fn segment_lost(&mut self, id: Id, to: Side, segment: Segment) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let (route, number) = (flow.hosts(1 - to), flow.number);
        match segment {
            Segment::Syn | Segment::SynAck | Segment::Established => self.plan_handshake(id),
            Segment::Data { epoch, .. } if epoch == flow.halves[1 - to].epoch => {
                let half = &mut flow.halves[1 - to];
                half.sent = half.arrived;
                half.epoch = half.epoch.wrapping_add(1);
                self.plan_retry(id, 1 - to);
            }
            Segment::Ack { .. } => self.plan_retry(id, to),
            Segment::Data { .. } | Segment::Reset => {}
        }
        self.record(Kind::Lose, route, number, 0);
    }

    fn retry_time(&self, id: Id, side: Side, retries: u32) -> u64 {
        let Some(flow) = self.flows.get(id) else { return RETRY_MIN };
        let (from, to) = flow.hosts(side);
        let usual = |from, to| self.links.usual_latency(from, to, &self.settings);
        let first = RETRY_MIN + usual(from, to) + usual(to, from);
        RETRY_MAX.min(first.saturating_mul(1 << retries.min(20)))
    }

    /// Has the sender look at the connection after its time-out.
    pub(super) fn plan_retry(&mut self, id: Id, side: Side) {
        let Some(flow) = self.flows.get(id) else { return };
        let (tie, half) = (flow.tie, &flow.halves[side]);
        if flow.ends[side].state != EndState::Open || half.has_retry_event {
            return;
        }
        let at = self.now.saturating_add(self.retry_time(id, side, half.retries));
        if let Some(flow) = self.flows.get_mut(id) {
            flow.halves[side].has_retry_event = true;
        }
        self.events.push(at, tie, Happening::Retry(id, side));
    }

    /// The sender's time-out: repeats what was not acknowledged, or gives the connection up.
    pub(super) fn retry(&mut self, id: Id, side: Side) {
        let now = self.now;
        let Some(flow) = self.flows.get_mut(id) else { return };
        let end = &flow.ends[side];
        let limit = if end.is_open { RETRIES } else { ORPHAN_RETRIES };
        let half = &mut flow.halves[side];
        half.has_retry_event = false;
        half.take_acks(now);
        let is_acked = half.acked >= half.end() || !half.acks.is_empty();
        if end.state != EndState::Open || is_acked && !half.is_window_closed() {
            return;
        }
        half.retries += 1;
        if half.retries > limit {
            return self.fail(id, side, Failure::TimedOut);
        }
        let probe = Segment::Data { upto: half.arrived, epoch: half.epoch };
        if half.sent == half.arrived && half.sent >= half.written().min(half.edge) {
            // All has arrived, but its acknowledgement has not; or the window is closed.
            self.transmit(id, 1 - side, probe, 0);
        }
        self.pump(id, side);
    }

    /// Acknowledges at the end `to` what has arrived, and says how much may follow.
    pub(super) fn acknowledge(&mut self, id: Id, to: Side) {
        let Some(flow) = self.flows.get(id) else { return };
        let (route, side) = (flow.hosts(to), 1 - to);
        let half = &flow.halves[side];
        let edge = half.read + flow.ends[to].options.receive_buffer as u64;
        let upto = half.arrived;
        let way = self.way(route, 0);
        let Some(flow) = self.flows.get_mut(id) else { return };
        let half = &mut flow.halves[side];
        half.told_edge = half.told_edge.max(edge);
        match way {
            Way::Arrives(at) => {
                let at = at.max(half.acks.back().map_or(0, |ack| ack.at));
                half.acks.push_back(Ack { at, upto, edge });
                half.retries = 0;
                self.plan_acks(id, side);
            }
            Way::Held => self.links.keep(
                route.0,
                route.1,
                Packet::Tcp(id, side, Segment::Ack { upto, edge }),
            ),
            Way::Cut => self.plan_retry(id, side),
        }
    }

    /// Makes an event of the next acknowledgement if the sender waits for one.
    pub(super) fn plan_acks(&mut self, id: Id, side: Side) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let half = &mut flow.halves[side];
        if half.has_ack_event || !half.is_blocked && !half.is_window_closed() {
            return;
        }
        if let Some(ack) = half.acks.front() {
            half.has_ack_event = true;
            self.events.push(ack.at, flow.tie, Happening::Acks(id, side));
        }
    }

    /// Acknowledgements have arrived at a sender that waits for them.
    pub(super) fn acks_arrived(&mut self, id: Id, side: Side) {
        let now = self.now;
        let Some(flow) = self.flows.get_mut(id) else { return };
        let half = &mut flow.halves[side];
        half.has_ack_event = false;
        half.take_acks(now);
        let end = &mut flow.ends[side];
        // As Linux does, a third of the buffer is free before the program is woken.
        let free = end.options.send_buffer.saturating_sub(half.unacked());
        if half.is_blocked && free >= end.options.send_buffer.div_ceil(3) {
            half.is_blocked = false;
            self.hosts.note(end.host, &mut end.watch, false, true);
        }
        self.pump(id, side);
        self.plan_acks(id, side);
    }

    /// Ends the connection at one end with an error. The other end learns nothing.
    pub(super) fn fail(&mut self, id: Id, side: Side, failure: Failure) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.halves[side].abandon();
        let end = &mut flow.ends[side];
        (end.state, end.error) = (EndState::Dead, Some(failure));
        self.hosts.note(end.host, &mut end.watch, true, true);
        self.bury(id);
    }
}
