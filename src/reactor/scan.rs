//! Looking at the timers and the sources of a loop in pieces, and at the wakers they will wake.
//!
//! A timer and a source keep their index, so a walk over the indices meets each one that lives all
//! the time once. Invariant: no user code runs: wakers are looked at, not cloned or dropped.

use std::ops::Range;
use std::task::Waker;
use std::time::Instant;

use super::selector::Reactor;
use super::source::{Direction, Source};
use crate::sys::Descriptor;

impl Reactor {
    /// Calls `f` with the deadline and the waker of each timer whose index is in `indices`. Returns
    /// `false` behind the last one.
    pub(crate) fn scan_timers(
        &self,
        indices: Range<usize>,
        mut f: impl FnMut(Instant, &Waker),
    ) -> bool {
        let timers = self.timers.borrow();
        let end = indices.end.min(timers.nodes.len());
        for index in indices.start..end {
            let node = &timers.nodes[index as u32];
            if let Some(waker) = &node.waker {
                f(self.clock.instant(node.deadline), waker);
            }
        }
        indices.start < end
    }

    /// Calls `f` with each source whose index is in `indices`. Returns `false` behind the last one.
    pub(crate) fn scan_sources(
        &self,
        indices: Range<usize>,
        mut f: impl FnMut(Descriptor, &Source),
    ) -> bool {
        let sources = self.sources.borrow();
        let is_inside = indices.start < sources.capacity();
        for index in indices {
            if let Some(entry) = sources.get(index) {
                f(entry.descriptor, &entry.source);
            }
        }
        is_inside
    }
}

impl Source {
    /// Calls `f` with the waker of each future that waits for a direction.
    pub(crate) fn scan(&self, direction: Direction, f: &mut dyn FnMut(&Waker)) {
        self.side(direction).scan(f);
    }
}
