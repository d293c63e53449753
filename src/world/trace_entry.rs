//! One entry of the record of a run: 32 bytes, without text.
//!
//! Hosts and connections are numbers; their names belong to the record. What an entry says in plain
//! English stands here too, because every output shows it.

use std::fmt;

/// The number of a host, in the order in which the hosts were made.
pub(crate) type HostNumber = u32;

/// The number of a connection or of another socket. 0 is none.
pub(crate) type Flow = u32;

/// The peer of an entry that has none.
pub(crate) const NO_PEER: HostNumber = HostNumber::MAX;

/// What happened. The meaning of an entry's `number` is in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(crate) enum Kind {
    /// The loop of a host ran one iteration (the number of ready tasks).
    Turn,
    /// A task was polled (the task's number on its host).
    Poll,
    /// A timer of the host was due (its true time in nanoseconds).
    Timer,
    /// A connection was begun (the port).
    Connect,
    /// A connection was accepted by the system of the listening host (the port).
    Accept,
    /// The host learned that its connection or datagram was refused (the port).
    Refuse,
    /// Bytes left the host (how many).
    Send,
    /// Bytes arrived at the host (how many).
    Receive,
    /// The host ended its direction of a connection.
    SendFin,
    /// The end of the peer's direction arrived.
    ReceiveFin,
    /// The host reset a connection.
    SendReset,
    /// A reset arrived.
    ReceiveReset,
    /// The network lost the datagram that the host sent last (its bytes), or a packet of a
    /// connection (0).
    Lose,
    /// The network duplicated the datagram that the host sent last (its bytes).
    Duplicate,
    /// A packet of the host was lost and sent again, or delayed (by how many nanoseconds).
    Delay,
    /// Packets from the host to the peer are lost from now on.
    Partition,
    /// Packets from the host to the peer arrive again.
    Heal,
    /// Packets from the host to the peer are kept from now on.
    Hold,
    /// The kept packets from the host to the peer are sent on.
    Release,
    /// The latency from the host to the peer changed (nanoseconds).
    Latency,
    /// The loss from the host to the peer changed (in millionths).
    Loss,
    /// The bandwidth from the host to the peer changed (bytes a second).
    Bandwidth,
    /// All faults of the network ended.
    Calm,
    /// The host lost its power.
    Crash,
    /// The program of the host was killed.
    Kill,
    /// The program of the host was asked to stop.
    Stop,
    /// The program of the host was started again.
    Restart,
    /// The host stands still from now on.
    Pause,
    /// The host runs again.
    Resume,
    /// The clock of the host was set (the offset in nanoseconds, an `i64`).
    Clock,
    /// A note of the program (the number of the note).
    Note,
}

/// An event of a run. Two runs are equal if all of their entries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The virtual time in nanoseconds: the world's, not that of the host's clock.
    pub(crate) nanos: u64,
    pub(crate) number: u64,
    pub(crate) host: HostNumber,
    pub(crate) peer: HostNumber,
    /// For a note, the low bits of the hash of its text.
    pub(crate) flow: Flow,
    pub(crate) kind: Kind,
}

impl Entry {
    /// Returns the entry as four words, the same on all platforms.
    #[inline]
    pub(crate) fn words(&self) -> [u64; 4] {
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        [
            self.nanos,
            self.number,
            pair(self.host, self.peer),
            pair(self.flow, self.kind as u8 as u32),
        ]
    }

    /// Returns whether the entry belongs to a connection.
    pub(crate) fn has_flow(&self) -> bool {
        self.flow != 0 && self.kind != Kind::Note
    }

    /// Returns what happened, without time, host and flow. `peer` is the peer's name, `note` the
    /// text of a note.
    pub(crate) fn what<'a>(&self, peer: &'a str, note: &'a str) -> What<'a> {
        What { entry: *self, peer, note }
    }
}

/// Shows what happened, without time, host and flow.
pub(crate) struct What<'a> {
    entry: Entry,
    peer: &'a str,
    note: &'a str,
}

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, peer) = (self.entry.number, self.peer);
        match self.entry.kind {
            Kind::Turn => write!(f, "turn, {n} tasks ready"),
            Kind::Poll => write!(f, "poll task {n}"),
            Kind::Timer => f.write_str("timer"),
            Kind::Connect => write!(f, "connect to {peer}:{n}"),
            Kind::Accept => write!(f, "accept {peer} on port {n}"),
            Kind::Refuse => write!(f, "refused by {peer}, port {n}"),
            Kind::Send => write!(f, "send {} to {peer}", Bytes(n)),
            Kind::Receive => write!(f, "receive {} from {peer}", Bytes(n)),
            Kind::SendFin => write!(f, "send FIN to {peer}"),
            Kind::ReceiveFin => write!(f, "receive FIN from {peer}"),
            Kind::SendReset => write!(f, "send RST to {peer}"),
            Kind::ReceiveReset => write!(f, "receive RST from {peer}"),
            Kind::Lose if n == 0 => write!(f, "packet to {peer} lost"),
            Kind::Lose => write!(f, "datagram of {} to {peer} lost", Bytes(n)),
            Kind::Duplicate => write!(f, "datagram of {} to {peer} duplicated", Bytes(n)),
            Kind::Delay => write!(f, "packet to {peer} delayed by {} s", Seconds(n)),
            Kind::Partition => write!(f, "partition from {peer}"),
            Kind::Heal => write!(f, "heal partition from {peer}"),
            Kind::Hold => write!(f, "hold packets to {peer}"),
            Kind::Release => write!(f, "release packets to {peer}"),
            Kind::Latency => write!(f, "latency to {peer} is {} s", Seconds(n)),
            Kind::Loss => write!(f, "loss to {peer} is {} %", n as f64 / 1e4),
            Kind::Bandwidth => write!(f, "bandwidth to {peer} is {} a second", Bytes(n)),
            Kind::Calm => f.write_str("calm network"),
            Kind::Crash => f.write_str("crash"),
            Kind::Kill => f.write_str("kill"),
            Kind::Stop => f.write_str("stop"),
            Kind::Restart => f.write_str("restart"),
            Kind::Pause => f.write_str("pause"),
            Kind::Resume => f.write_str("resume"),
            Kind::Clock => write!(f, "clock set by {} ns", n as i64),
            Kind::Note => write!(f, "note: {}", Line(self.note)),
        }
    }
}

/// Shows a number of bytes.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} byte{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

/// Shows nanoseconds as seconds with nine digits.
pub(crate) struct Seconds(pub(crate) u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

/// Shows a text on one line: control characters are escaped as in Rust.
pub(crate) struct Line<'a>(pub(crate) &'a str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                fmt::Write::write_char(f, c)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_half_a_cache_line() {
        assert_eq!(size_of::<Entry>(), 32);
    }

    #[test]
    fn an_offset_of_the_clock_may_be_negative() {
        let number = -3_i64 as u64;
        let entry = Entry { nanos: 0, number, host: 0, peer: 0, flow: 0, kind: Kind::Clock };
        assert_eq!(entry.what("", "").to_string(), "clock set by -3 ns");
    }

    #[test]
    fn a_text_stays_on_its_line() {
        assert_eq!(Line("a\nb\u{1b}[0m \"é\"").to_string(), "a\\nb\\u{1b}[0m \"é\"");
    }
}
