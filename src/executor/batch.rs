//! Running one batch of polls: what it did, and how long it may run.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::local_queue;
use super::nested::Outer;
use super::runnable::{RunOutcome, Runnable};
use super::task_info::{Header, State};
use super::tasks::{Executor, Root};
use super::waker::waker;
use crate::caught::{Caught, catch};
use crate::clock;
use crate::current::{self, budget, debug};

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
    turns: usize,
    /// Those in which nothing was polled: the task was aborted, the root is gone.
    unpolled: usize,
    /// The root completed: its output is there.
    pub(crate) root_done: bool,
    /// The turn after which the clock is read next.
    look_at: usize,
    /// What the coarse clock said when it was first read, in nanoseconds.
    began: u64,
    /// When it was seen to have moved on since.
    moved_on: Option<Instant>,
}

impl Batch {
    fn new() -> Batch {
        Batch {
            turns: 0,
            unpolled: 0,
            root_done: false,
            look_at: FIRST_LOOK,
            began: 0,
            moved_on: None,
        }
    }

    /// How many futures were polled.
    pub(crate) fn polled(self) -> usize {
        self.turns - self.unpolled
    }

    /// Whether the batch has run for long enough. Reads a clock when it is time to.
    fn is_out_of_time(&mut self) -> bool {
        if self.turns < self.look_at {
            return false;
        }
        let is_first = self.look_at == FIRST_LOOK;
        self.look_at = self.turns + self.turns.min(LOOK_EVERY);
        if let Some(moved_on) = self.moved_on {
            return clock::now().saturating_duration_since(moved_on) >= BATCH_TIME;
        }
        let coarse = clock::coarse_nanos();
        if is_first {
            self.began = coarse;
        }
        if coarse != self.began {
            // It moves on in steps of up to 4 ms: the batch may have begun a moment ago.
            self.moved_on = Some(clock::now());
            self.look_at = self.turns + self.turns / 2;
        }
        false
    }
}

impl Executor {
    /// Runs what is ready, first in first out, until nothing is or `turns_max` turns were given or
    /// the root is done. A panic of the root goes through. Only in a turn.
    pub(crate) fn run_batch(&self, mut root: Option<Root<'_>>, turns_max: usize) -> Batch {
        let mut batch = Batch::new();
        self.boundary.set(None);
        let _outer = Outer::of_part(self);
        let _budget = budget::set_aside();
        let _debug = debug::set(self.hooks.slow_poll.is_some());
        // Caught once for the batch: a panic is rare, and ends one task's part of it.
        while let Err(panic) = catch(|| self.run(&mut root, turns_max, &mut batch)) {
            self.recover(panic);
        }
        self.leave();
        while let Some(lost) = self.local_queue.take_lost() {
            self.report(lost);
        }
        batch
    }

    fn poll_root(&self, root: Root<'_>) -> Poll<()> {
        let header = self.root.borrow();
        let Some(Header { id, waker_id, polls, state, .. }) = &*header else {
            return Poll::Pending;
        };
        state.set(State::Busy);
        let _outer = current::begin_root();
        current::begin_task(*id);
        polls.set(polls.get().wrapping_add(1));
        let waker = waker(waker_id.get());
        drop(header);
        let polled = root.poll(&mut Context::from_waker(&waker));
        if let Some(header) = &*self.root.borrow() {
            header.waits_for.set(current::waits_for());
            header.state.set(State::Idle);
        }
        polled
    }

    fn run(&self, root: &mut Option<Root<'_>>, turns_max: usize, batch: &mut Batch) {
        while batch.turns < turns_max && !batch.root_done && !batch.is_out_of_time() {
            self.pause_at.set(batch.look_at.min(turns_max));
            if let Some(boundary) = self.boundary.get() {
                if self.local_queue.with(|queue| queue.first()) == Some(boundary) {
                    return;
                }
                self.pause_at.set(batch.turns + 1);
            }
            if !self.run_some(root, batch) {
                return;
            }
        }
    }

    /// Runs what is ready until the batch is to pause. Returns whether more may be ready.
    fn run_some(&self, root: &mut Option<Root<'_>>, batch: &mut Batch) -> bool {
        while batch.turns < self.pause_at.get() {
            let Some((slot, task)) = local_queue::pop() else {
                budget::forget_refused();
                return false;
            };
            batch.turns += 1;
            budget::begin(slot);
            self.running.set(slot);
            let Some(task) = task else {
                self.run_root(root, batch);
                continue;
            };
            let ran = match self.hooks.slow_poll {
                None => task.run(),
                Some(limit) => self.watched(limit, || task.run()),
            };
            if ran != RunOutcome::Pending {
                self.finish_turn(&*task, ran, batch);
            }
        }
        true
    }

    /// Does what a turn leaves to do that was not just a poll.
    fn finish_turn(&self, task: &dyn Runnable, ran: RunOutcome, batch: &mut Batch) {
        if ran != RunOutcome::Ready {
            batch.unpolled += 1;
        }
        if ran != RunOutcome::Delegated {
            self.end(task);
        }
    }

    fn run_root(&self, root: &mut Option<Root<'_>>, batch: &mut Batch) {
        let Some(root) = root.as_mut().map(Pin::as_mut) else {
            batch.unpolled += 1;
            return;
        };
        let polled = match self.hooks.slow_poll {
            None => self.poll_root(root),
            Some(limit) => self.watched(limit, || self.poll_root(root)),
        };
        if polled.is_ready() {
            batch.root_done = true;
            self.pause_at.set(0);
        }
    }

    /// Goes on after a panic of the running task. Any other panic goes through: the root's, one of
    /// a waker that is not ours, one of the panic handler.
    fn recover(&self, panic: Caught) {
        let Some(task) = self.task(self.running.get()) else { panic.resume() };
        match task.recover(panic) {
            Ok(()) => self.end(&*task),
            Err(panic) => panic.resume(),
        }
    }
}
