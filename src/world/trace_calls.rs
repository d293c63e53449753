//! The record of a world, as the driver and the hosts use it.

use super::handle::{World, with_current};
use super::here::Here;
use super::hosts::HostId;
use super::trace::Trace;
use super::trace_difference::Difference;
use super::trace_entry::Kind;
use super::trace_record::Record;

impl World {
    /// Sets an empty record. Call it before the first host is added.
    pub(crate) fn set_record(&self, record: Record) {
        self.state.borrow_mut().record = record;
    }

    /// Adds an event of one host.
    pub(crate) fn record(&self, kind: Kind, host: HostId, number: u64) {
        self.state.borrow_mut().record(kind, (host, HostId::NOWHERE), 0, number);
    }

    /// Adds a note of the program of a host.
    pub(crate) fn note(&self, host: HostId, text: &str) {
        let state = &mut *self.state.borrow_mut();
        state.record.note(state.now, host.0, text);
    }

    /// Returns the record so far.
    pub(crate) fn trace(&self) -> Trace {
        self.state.borrow().record.trace()
    }

    /// Returns how this run differs from the one that it is compared with.
    pub(crate) fn difference(&self) -> Option<Difference> {
        self.state.borrow().record.difference()
    }
}

impl Here {
    /// Adds an event of the host to the record of the run.
    pub(crate) fn record(self, kind: Kind, number: u64) {
        with_current(|world| world.record(kind, self.0, number));
    }

    /// Adds a note of the host's program to the record of the run.
    pub(crate) fn note(self, text: &str) {
        with_current(|world| world.note(self.0, text));
    }
}
