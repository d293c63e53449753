//! The record of a run, as it was at one moment: entries, names, notes and the hash.
//!
//! The outputs are in files of their own: text, a Mermaid chart, Trace Event Format.

use std::fmt;
use std::rc::Rc;

use super::trace_entry::{Entry, HostNumber, Kind, What};

/// What happened in a run of a world, in the order in which it happened.
///
/// An entry is a turn of a host's loop, a poll of a task, a timer, a connection, bytes with their
/// count and direction, the end or the reset of a connection, a packet that the network lost,
/// duplicated or delayed, a fault, or a note of the program. A trace holds the last entries: 65,536
/// unless the test sets another limit. The hash covers all.
///
/// [`to_text`](Trace::to_text) shows it to people, [`to_mermaid`](Trace::to_mermaid) draws the
/// messages between hosts, [`to_trace_events`](Trace::to_trace_events) is for
/// [Perfetto](https://ui.perfetto.dev). [`Display`](fmt::Display) shows the text, too.
#[derive(Clone, Default)]
pub struct Trace {
    pub(crate) hosts: Vec<Rc<str>>,
    /// The last entries, the oldest first.
    pub(crate) entries: Vec<Entry>,
    /// How many entries the run has.
    pub(crate) added: u64,
    pub(crate) hash: u64,
    /// The texts of the last notes, the oldest first.
    pub(crate) notes: Vec<Rc<str>>,
    /// How many notes the run has.
    pub(crate) notes_added: u64,
    /// The first entries, if a second run is compared with this one.
    pub(crate) first: Vec<Entry>,
}

impl Trace {
    /// Returns the hash of the run: of all its entries, also of those that the trace holds no more.
    ///
    /// Two runs of one seed have one hash, on every platform and in every build. A new version of
    /// this crate may order events otherwise, and so change it.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Returns the number of entries that the trace holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether the trace holds no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns how many entries of the run the trace holds no more, or never held.
    pub fn dropped(&self) -> u64 {
        self.added - self.entries.len() as u64
    }

    /// Returns the name of a host.
    pub(crate) fn name(&self, host: HostNumber) -> &str {
        self.hosts.get(host as usize).map_or("?", |name| name)
    }

    /// Returns what an entry of this run says, without time, host and flow.
    pub(crate) fn what(&self, entry: &Entry) -> What<'_> {
        entry.what(self.name(entry.peer), self.note(entry))
    }

    /// Returns the text of a note, or an empty text for another entry.
    fn note(&self, entry: &Entry) -> &str {
        if entry.kind != Kind::Note {
            return "";
        }
        let oldest = self.notes_added - self.notes.len() as u64;
        let at = entry.number.checked_sub(oldest).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.notes.get(at)).map_or("(no longer held)", |text| text)
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, hash) = (self.len(), format!("{:016x}", self.hash));
        let mut out = f.debug_struct("Trace");
        out.field("len", &len)
            .field("dropped", &self.dropped())
            .field("hash", &format_args!("{hash}"))
            .finish()
    }
}
