//! The record of a run while it runs: a ring of entries, and the hash of all of them.
//!
//! A world adds an entry at every event, so `add` takes some nanoseconds, and allocates nothing
//! once the ring is full. Invariant: the hash covers every entry, also those that left the ring.

use std::collections::VecDeque;
use std::rc::Rc;

use super::trace::Trace;
use super::trace_difference::{BEFORE, COMPARED_MAX, Difference, Parting};
use super::trace_entry::{Entry, Flow, HostNumber, Kind, NO_PEER};
use super::trace_hash::{self, RunHash};

/// The most notes that a record holds: each has a text of the program.
pub(crate) const NOTES_MAX: usize = 1 << 12;

/// The record of a run.
#[derive(Debug)]
pub(crate) struct Record {
    /// Grows to `capacity` entries. From then on entry `n` is at `n % capacity`.
    ring: Vec<Entry>,
    /// A power of two.
    capacity: usize,
    /// How many entries were added.
    added: u64,
    hash: RunHash,
    /// The names of the hosts by their numbers.
    hosts: Vec<Rc<str>>,
    /// The texts of the last notes.
    notes: VecDeque<Rc<str>>,
    notes_added: u64,
    role: Role,
}

/// What a record does for the comparison of two runs.
#[derive(Debug)]
enum Role {
    Alone,
    /// Holds the first entries.
    First(Vec<Entry>),
    /// Compares every entry with the first run.
    Second(Rc<Trace>),
    /// Found the first difference.
    Parted(Rc<Trace>, Parting),
}

impl Record {
    /// Makes a record that holds the last `capacity` entries: the next power of two, one at least.
    pub(crate) fn new(capacity: usize) -> Record {
        Record {
            ring: Vec::new(),
            capacity: capacity.next_power_of_two(),
            added: 0,
            hash: RunHash::new(),
            hosts: Vec::new(),
            notes: VecDeque::new(),
            notes_added: 0,
            role: Role::Alone,
        }
    }

    /// Makes this run the first of two that are compared. Its trace holds the first entries, too.
    pub(crate) fn first_of_two(mut self) -> Record {
        self.role = Role::First(Vec::new());
        self
    }

    /// Makes this run the second of two: each entry is compared with that of `first`.
    pub(crate) fn second_after(mut self, first: Rc<Trace>) -> Record {
        self.role = Role::Second(first);
        self
    }

    /// Adds the name of the next host.
    pub(crate) fn add_host(&mut self, name: &str) {
        self.hosts.push(name.into());
    }

    /// Adds an entry.
    #[inline]
    pub(crate) fn add(&mut self, entry: Entry) {
        self.hash.add(entry.words());
        if !matches!(self.role, Role::Alone) {
            self.compare(entry);
        }
        if self.ring.len() < self.capacity {
            self.ring.push(entry);
        } else {
            let at = self.added as usize & (self.capacity - 1);
            self.ring[at] = entry;
        }
        self.added += 1;
    }

    /// Adds a note of the program that runs on `host`.
    pub(crate) fn note(&mut self, nanos: u64, host: HostNumber, text: &str) {
        if self.notes.len() == NOTES_MAX {
            self.notes.pop_front();
        }
        self.notes.push_back(text.into());
        let (flow, number) = (trace_hash::of_text(text) as Flow, self.notes_added);
        self.notes_added += 1;
        self.add(Entry { nanos, number, host, peer: NO_PEER, flow, kind: Kind::Note });
    }

    /// Returns the hash of all entries so far.
    pub(crate) fn hash(&self) -> u64 {
        self.hash.value()
    }

    /// Returns the record as it is now.
    pub(crate) fn trace(&self) -> Trace {
        let first = match &self.role {
            Role::First(first) => first.clone(),
            _ => Vec::new(),
        };
        Trace {
            hosts: self.hosts.clone(),
            entries: self.last(self.capacity),
            added: self.added,
            hash: self.hash(),
            notes: self.notes.iter().cloned().collect(),
            notes_added: self.notes_added,
            first,
        }
    }

    /// Returns how this second run differs from the first one. Call it at the end of the run.
    pub(crate) fn difference(&self) -> Option<Difference> {
        let (first, parting) = match &self.role {
            Role::Alone | Role::First(_) => return None,
            Role::Parted(first, parting) => (first, Some(parting.clone())),
            Role::Second(first) if first.added == self.added && first.hash == self.hash() => {
                return None;
            }
            Role::Second(first) => {
                let next = usize::try_from(self.added).ok().and_then(|at| first.first.get(at));
                (first, next.map(|&entry| self.parting(Some(entry), None)))
            }
        };
        Some(Difference::new(first.clone(), self.trace(), parting))
    }

    #[cold]
    fn compare(&mut self, entry: Entry) {
        match &mut self.role {
            Role::Alone | Role::Parted(..) => {}
            Role::First(first) if first.len() < COMPARED_MAX => first.push(entry),
            Role::First(_) => {}
            Role::Second(first) => {
                let expected = usize::try_from(self.added).ok().and_then(|at| first.first.get(at));
                let is_at_end = self.added == first.added;
                if expected.is_some_and(|expected| *expected != entry) || is_at_end {
                    let (first, expected) = (first.clone(), expected.copied());
                    let parting = self.parting(expected, Some(entry));
                    self.role = Role::Parted(first, parting);
                }
            }
        }
    }

    /// Returns a difference at the next entry.
    fn parting(&self, first: Option<Entry>, second: Option<Entry>) -> Parting {
        Parting { index: self.added, before: self.last(BEFORE), first, second }
    }

    /// Returns the last entries, at most `max`, the oldest first.
    fn last(&self, max: usize) -> Vec<Entry> {
        let oldest = self.added as usize & (self.capacity - 1);
        let (new, old) = self.ring.split_at(oldest.min(self.ring.len()));
        let count = self.ring.len();
        old.iter().chain(new).skip(count.saturating_sub(max)).copied().collect()
    }
}
