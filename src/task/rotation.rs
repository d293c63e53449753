//! With which branch a poll of `select!` or `race` begins.
//!
//! A `select!` in a loop is a new one in each round, often completes at its first poll, and then
//! has no state of its own. So this thread remembers which one was polled last. Two tasks that
//! are polled in turn would stay in step with any fixed rotation, and each would begin with the
//! same branch every time: hence the pseudo-random numbers.

use std::cell::Cell;
use std::panic::Location;
use std::ptr;

use crate::world::{self, Here, Stream};

/// The order of the branches of one `select!` or `race`.
#[doc(hidden)]
#[derive(Debug)]
pub struct Rotation {
    /// The line and column of the caller, or `None` for a fixed order.
    place: Option<(u32, u32)>,
}

/// The last poll on this thread.
#[derive(Clone, Copy)]
struct Last {
    /// The address of the rotation, and its place. The next `select!` of a loop has the same
    /// address, since it is at the same offset in the same future.
    key: (usize, u32, u32),
    /// The branch that the poll began with.
    first: usize,
    /// The state of a xorshift generator. Every thread starts with the same one.
    random: u32,
}

thread_local! {
    static LAST: Cell<Last> = const { Cell::new(Last { key: (0, 0, 0), first: 0, random: 1 }) };
}

impl Rotation {
    /// Returns an order that differs from poll to poll.
    #[inline]
    #[track_caller]
    pub fn fair() -> Rotation {
        let location = Location::caller();
        Rotation { place: Some((location.line(), location.column())) }
    }

    /// Returns the order in which the branches are written.
    #[inline]
    pub fn biased() -> Rotation {
        Rotation { place: None }
    }

    /// Begins a poll. Returns the first branch, from 0 to `branches - 1`: after a poll of the same
    /// loop, the next one; after a poll of another, a pseudo-random one. 0 without a branch.
    #[inline]
    pub fn begin(&self, branches: usize) -> usize {
        let Some((line, column)) = self.place else { return 0 };
        if let Some(here) = world::here() {
            return in_world(here, branches);
        }
        let key = (ptr::from_ref(self).addr(), line, column);
        let mut last = LAST.get();
        if last.key == key {
            last.first += 1;
        } else {
            last.key = key;
            last.random ^= last.random << 13;
            last.random ^= last.random >> 17;
            last.random ^= last.random << 5;
            last.first = last.random as usize;
        }
        last.first %= branches.max(1);
        LAST.set(last);
        last.first
    }
}

/// In a world each poll begins with a random branch: an address would differ from run to run.
#[cold]
fn in_world(here: Here, branches: usize) -> usize {
    (here.random(Stream::Tasks) % branches.max(1) as u64) as usize
}
