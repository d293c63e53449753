//! In place of `beacon` without the feature `inspect`: no thread watches a loop. The same names.

use std::panic::Location;

use crate::current::TaskId;

/// Shows nothing.
#[derive(Debug)]
pub(crate) struct Beacon {
    pub(crate) settings: Watch,
}

/// No thread watches the loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watch;

/// Knows no place.
#[derive(Debug)]
pub(crate) struct KnownPlaces;

/// Records nothing.
#[derive(Debug, Default)]
pub(crate) struct Buffer(());

/// Takes the place of the guard of a shown task.
pub(crate) struct Shown;

impl Watch {
    pub(crate) fn of_environment() -> Watch {
        Watch
    }

    pub(crate) fn records_locks(self) -> bool {
        false
    }

    pub(crate) fn is_on(self) -> bool {
        false
    }
}

impl Beacon {
    pub(crate) fn new(settings: Watch) -> Beacon {
        Beacon { settings }
    }

    pub(crate) fn begin_poll(&self, _: TaskId, _: &'static Location<'static>) {}

    pub(crate) fn clear(&self) {}

    pub(crate) fn save(&self) -> Shown {
        Shown
    }

    /// Returns `false`: what observes the loop has hooks around each poll.
    pub(crate) fn is_plain(&self) -> bool {
        false
    }

    pub(crate) fn set_hooks(&self) {}

    pub(crate) fn recorded(&self) -> Option<(u64, u64, usize)> {
        None
    }

    pub(crate) fn record(&self, _: &Buffer, _: u64, _: u64, _: usize) {}

    pub(crate) fn begin_turn(&self) {}

    pub(crate) fn begin_wait(&self, _: &Buffer) {}

    pub(crate) fn leave(&self) {}

    pub(crate) fn set_name(&self, _: TaskId, _: &str) {}

    pub(crate) fn remove_name(&self, _: TaskId) {}
}

impl KnownPlaces {
    pub(crate) fn new() -> KnownPlaces {
        KnownPlaces
    }

    pub(crate) fn add(&self, _: &'static Location<'static>) {}
}
