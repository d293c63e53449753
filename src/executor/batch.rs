//! One batch of polls: what it did, and how long it may run.

use std::time::Duration;

use crate::clock;

/// A batch ends once it has run for about so long, however few polls that were: timers and sockets
/// are looked at between batches. With tasks that compute for 2 ms between two awaits, a batch is a
/// few polls; with tasks that take 100 ns, `batch_max` ends it long before.
const BATCH_TIME: Duration = Duration::from_millis(1);

/// The first turn of a batch after which the clock is read. So a batch of one or two, as a loop
/// that mostly waits has them, reads none.
const FIRST_LOOK: usize = 2;

/// At most so many turns pass between two looks at the clock. They begin close together, since
/// tasks that take long took long in the batch before.
const LOOK_EVERY: usize = 64;

/// What a batch did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    /// Turns of tasks, and of the root.
    pub(super) turns: usize,
    /// Those in which nothing was polled: the task was aborted, the root is gone.
    pub(super) unpolled: usize,
    /// The root completed: its output is there.
    pub(crate) root_done: bool,
    /// The turn after which the clock is read next.
    pub(super) look_at: usize,
    /// What the coarse clock said when it was first read, in nanoseconds.
    began: u64,
}

impl Batch {
    pub(super) fn new() -> Batch {
        Batch { turns: 0, unpolled: 0, root_done: false, look_at: FIRST_LOOK, began: 0 }
    }

    /// How many futures were polled.
    pub(crate) fn polled(self) -> usize {
        self.turns - self.unpolled
    }

    /// Whether the batch has run for long enough. Reads the clock when it is time to.
    pub(super) fn is_out_of_time(&mut self) -> bool {
        if self.turns < self.look_at {
            return false;
        }
        let now = clock::coarse_nanos();
        if self.look_at == FIRST_LOOK {
            self.began = now;
        }
        self.look_at = self.turns + self.turns.min(LOOK_EVERY);
        Duration::from_nanos(now.saturating_sub(self.began)) >= BATCH_TIME
    }
}
