//! Running one batch of polls: its result, and the limit on its time.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::header::{Header, State};
use super::local_queue;
use super::nested::Outer;
use super::task_memory::{RunOutcome, Runnable, Task};
use super::tasks::{Executor, Root};
use super::waker::waker;
use crate::caught::{Caught, catch};
use crate::clock;
use crate::current::{self, budget, debug};

/// A batch ends once it has run for about this time, whatever the number of polls. The loop checks
/// timers and sockets between batches. With tasks that compute for 2 ms between two awaits, a batch
/// is a few polls. With tasks that take 100 ns, `batch_max` ends it long before.
const BATCH_TIME: Duration = Duration::from_millis(1);

/// The first turn of a batch after which the clock is read. A loop that mostly waits has batches of
/// one or two turns: they read no clock.
const FIRST_CHECK: usize = 2;

/// At most this many turns pass between two readings of the clock. The first readings are close
/// together, since a task that takes long usually takes long in each batch.
const CHECK_EVERY: usize = 64;

/// The result of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    /// The number of turns, of tasks and of the root.
    turns: usize,
    /// The number of turns without a poll: the task was aborted, or the root has ended.
    unpolled: usize,
    /// The root has completed: its output is stored.
    pub(crate) root_done: bool,
    /// The turn after which the clock is read next.
    check_at: usize,
    /// The first reading of the coarse clock, in nanoseconds.
    began: u64,
    /// The time at which a later reading of the coarse clock differed from the first; the beginning
    /// of the batch if the batch before was out of time.
    moved_on: Option<Instant>,
    is_out_of_time: bool,
}

impl Batch {
    /// Begins a batch. Without the exact time, a batch of slow polls is longer by the step of the
    /// coarse clock and by up to `CHECK_EVERY` polls.
    fn new(exact: Option<Instant>) -> Batch {
        Batch {
            turns: 0,
            unpolled: 0,
            root_done: false,
            check_at: FIRST_CHECK,
            began: 0,
            moved_on: exact,
            is_out_of_time: false,
        }
    }

    /// Returns the number of futures that were polled.
    pub(crate) fn polled(self) -> usize {
        self.turns - self.unpolled
    }

    /// Checks whether the batch has used up its time. Reads a clock only at `check_at`.
    fn check_time(&mut self) -> bool {
        if self.turns < self.check_at {
            return false;
        }
        let is_first = self.check_at == FIRST_CHECK;
        self.check_at = self.turns + self.turns.min(CHECK_EVERY);
        if let Some(moved_on) = self.moved_on {
            self.is_out_of_time = clock::now().saturating_duration_since(moved_on) >= BATCH_TIME;
            return self.is_out_of_time;
        }
        let coarse = clock::coarse_nanos();
        if is_first {
            self.began = coarse;
        }
        if coarse != self.began {
            // The coarse clock advances in steps of up to 4 ms: the batch may have just begun.
            self.moved_on = Some(clock::now());
            self.check_at = self.turns + self.turns / 2;
        }
        false
    }
}

impl Executor {
    /// Runs ready tasks, first in first out. Stops when no task is ready, after `turns_max` turns,
    /// or when the root completes. Propagates a panic of the root. Must be called in a turn.
    pub(crate) fn run_batch(&self, mut root: Option<Root<'_>>, turns_max: usize) -> Batch {
        let mut batch = Batch::new(self.is_slow.get().then(clock::now));
        self.boundary.set(None);
        let _outer = Outer::of_part(self);
        let _budget = budget::save();
        let _debug = debug::set(self.hooks.mode());
        let _in_batch = self.begin_batch();
        // One `catch` for the whole batch is cheaper than one per poll: panics are rare, and the
        // batch continues after one.
        while let Err(panic) = catch(|| self.run(&mut root, turns_max, &mut batch)) {
            self.recover(panic);
        }
        self.is_slow.set(batch.is_out_of_time);
        self.clear_running();
        if let Some(beacon) = self.beacon() {
            beacon.clear();
        }
        while let Some(error) = self.local_queue.take_unhandled() {
            self.report(error);
        }
        if let Some(panic) = self.take_hook_panic() {
            panic.resume();
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
        // Not borrowed during the poll: user code may list the tasks.
        drop(header);
        let polled = root.poll(&mut Context::from_waker(&waker));
        if let Some(header) = &*self.root.borrow() {
            header.set_waits();
            header.state.set(State::Idle);
        }
        polled
    }

    #[cold]
    fn poll_root_observed(&self, root: Root<'_>) -> Poll<()> {
        self.run_root_observed(|| self.poll_root(root))
    }

    fn run(&self, root: &mut Option<Root<'_>>, turns_max: usize, batch: &mut Batch) {
        // Of a turn that has panicked.
        self.end_turn();
        while batch.turns < turns_max && !batch.root_done && !batch.check_time() {
            self.pause_at.set(batch.check_at.min(turns_max));
            if let Some(boundary) = self.boundary.get() {
                if self.local_queue.with(|queue| queue.first()) == Some(boundary) {
                    return;
                }
                // The boundary may be next after any turn.
                self.pause_at.set(batch.turns + 1);
            }
            if !self.run_some(root, batch) {
                return;
            }
            self.end_turn();
        }
    }

    /// Runs ready tasks until the batch must pause. Returns whether more tasks may be ready.
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
            let ran = if self.has_observers() { self.run_observed(&task) } else { task.run() };
            if ran != RunOutcome::Pending {
                self.finish_turn(&task, ran, batch);
            }
        }
        true
    }

    /// Completes a turn in which the task ended, was aborted or was delegated.
    fn finish_turn(&self, task: &Task, ran: RunOutcome, batch: &mut Batch) {
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
        let polled =
            if self.has_observers() { self.poll_root_observed(root) } else { self.poll_root(root) };
        if polled.is_ready() {
            self.root_returned.set(true);
            batch.root_done = true;
            self.pause_at.set(0);
        }
    }

    /// Ends the running task after its panic. Propagates any other panic: of the root, of a waker
    /// of another runtime, of the panic handler.
    fn recover(&self, panic: Caught) {
        let Some(task) = self.task(self.running.get()) else { panic.resume() };
        match task.recover(panic) {
            Ok(()) => self.end(&task),
            Err(panic) => panic.resume(),
        }
    }
}
