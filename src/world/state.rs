//! The whole state of a world, without the rules of its protocols.
//!
//! The rules are `impl State` in files above this one: a rule changes the state and adds events,
//! and never calls the handling of an event. So the handling of one event is finite.

use std::collections::BTreeMap;

use super::channel::Channel;
use super::event_queue::EventQueue;
use super::hosts::{HostId, Hosts};
use super::links::{Links, Way};
use super::random::{Random, STREAMS, Stream, hash};
use super::settings::Settings;
use super::table::{Id, Table};
use super::tcp_backlog::Backlog;
use super::tcp_flow::{Flow, Side};
use super::trace_entry::{Entry, Kind};
use super::trace_record::Record;
use super::udp_queue::{Datagram, UdpQueue};
use super::unix_queue::{UnixBacklog, UnixFile, UnixName, UnixQueue};

#[derive(Debug)]
pub(super) struct State {
    pub(super) seed: u64,
    pub(super) settings: Settings,
    /// The seed chooses among the ready parts of a task.
    pub(super) is_seeded: bool,
    /// The true time.
    pub(super) now: u64,
    pub(super) turns_without_event: u32,
    /// Whose code runs.
    pub(super) own: Option<HostId>,
    pub(super) events: EventQueue<Happening>,
    randoms: [Random; STREAMS],
    pub(super) hosts: Hosts,
    pub(super) links: Links<Packet>,
    pub(super) flows: Table<Flow>,
    pub(super) listeners: Table<Backlog>,
    pub(super) udp: Table<UdpQueue>,
    pub(super) channels: Table<Channel>,
    pub(super) unix_listeners: Table<UnixBacklog>,
    pub(super) unix_datagrams: Table<UnixQueue>,
    /// The names of the Unix sockets of each host. A file outlives its socket, and its host.
    pub(super) unix_names: BTreeMap<(HostId, UnixName), UnixFile>,
    /// The number of names so far.
    pub(super) unix_count: u64,
    /// The number of connections so far.
    pub(super) flow_count: u32,
    pub(super) record: Record,
}

/// An event of the world.
#[derive(Debug)]
pub(super) enum Happening {
    /// The host has to be turned at its deadline.
    Timer(HostId),
    /// A packet arrives.
    Packet(Packet),
    /// Acknowledgements have arrived at a sender that waits for them.
    Acks(Id, Side),
    /// A sender of TCP repeats what was not acknowledged.
    Retry(Id, Side),
    /// A packet of the handshake is repeated.
    RetryHandshake(Id),
    KeepAlive(Id, Side),
}

/// A packet on its way. It has no bytes of a stream: those are in the flow.
#[derive(Debug)]
pub(super) enum Packet {
    /// A packet of a TCP connection to the end of this side.
    Tcp(Id, Side, Segment),
    Udp(Box<Datagram>),
    /// The system of the receiver has no socket at the port (ICMP).
    Unreachable {
        socket: Id,
        from: HostId,
        to: HostId,
    },
}

/// What a packet of a connection says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Syn,
    SynAck,
    /// The last packet of the handshake.
    Established,
    /// Bytes, and perhaps the FIN, up to this position.
    Data {
        upto: u64,
        epoch: u32,
    },
    /// An acknowledgement that was held. Others are in `Half::acks`.
    Ack {
        upto: u64,
        edge: u64,
    },
    Reset,
}

impl State {
    pub(super) fn new(seed: u64, settings: Settings) -> State {
        State {
            seed,
            settings,
            is_seeded: false,
            now: 0,
            turns_without_event: 0,
            own: None,
            events: EventQueue::new(),
            randoms: std::array::from_fn(|stream| Random::new(seed, stream as u64)),
            hosts: Hosts::default(),
            links: Links::new(),
            flows: Table::new(),
            listeners: Table::new(),
            udp: Table::new(),
            channels: Table::new(),
            unix_listeners: Table::new(),
            unix_datagrams: Table::new(),
            unix_names: BTreeMap::new(),
            unix_count: 0,
            flow_count: 0,
            record: Record::new(1),
        }
    }

    pub(super) fn random(&mut self, stream: Stream) -> &mut Random {
        &mut self.randoms[stream as usize]
    }

    /// Chooses a host that has work.
    pub(super) fn next_runnable(&mut self) -> Option<HostId> {
        self.hosts.next_runnable(&mut self.randoms[Stream::Hosts as usize])
    }

    /// Returns the place of a thing with this number among events of one time.
    pub(super) fn tie(&self, number: u64) -> u64 {
        hash(self.seed, number)
    }

    /// Returns the place of a host among events of one time.
    pub(super) fn host_tie(&self, host: HostId) -> u64 {
        self.tie(u64::from(host.0) << 32)
    }

    /// Returns what becomes of a packet of `bytes` bytes that is sent now.
    pub(super) fn way(&mut self, route: (HostId, HostId), bytes: usize) -> Way {
        self.way_by(Stream::Network, route, bytes)
    }

    /// Does the same, with a latency from another stream.
    pub(super) fn way_by(&mut self, from: Stream, route: (HostId, HostId), bytes: usize) -> Way {
        let random = &mut self.randoms[from as usize];
        self.links.send(route, bytes, self.now, &self.settings, random)
    }

    /// Returns a number of bytes from 1 to `n`: less than `n` with the chance of a short read or
    /// write.
    pub(super) fn shorten(&mut self, n: usize) -> usize {
        let chance = self.settings.short_io;
        if n > 1 && self.random(Stream::Sizes).chance(chance) {
            return 1 + self.random(Stream::Sizes).below(n as u64) as usize;
        }
        n
    }

    pub(super) fn random_loss(&mut self, (from, to): (HostId, HostId)) -> bool {
        let chance = self.links.loss(from, to, &self.settings);
        self.random(Stream::Loss).chance(chance)
    }

    pub(super) fn record(&mut self, kind: Kind, route: (HostId, HostId), flow: u32, number: u64) {
        let (host, peer) = (route.0.0, route.1.0);
        self.record.add(Entry { nanos: self.now, number, host, peer, flow, kind });
    }
}
