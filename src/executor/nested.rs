//! Turns inside other turns: of an eager task in `spawn`, of a child in its scope, of a task that
//! is cancelled at once.

use std::future::Future;

use super::child_slot::ByScope;
use super::header::{Header, SpawnOptions};
use super::task_cell::{Output, TaskCell};
use super::task_memory::{RunOutcome, Runnable, Task};
use super::tasks::{Executor, NO_TASK, TOO_MANY};
use crate::caught::catch;
use crate::current::{self, budget};

/// Stores which task of the executor ran before, and the state `S` of its code. Its drop restores
/// both.
pub(super) struct Outer<'a, S> {
    executor: &'a Executor,
    running: u32,
    _state: S,
}

impl Executor {
    /// Runs the first turn of a new task, inside the turn of another. Drops its future instead if
    /// the loop ends: no turn will run it any more.
    #[inline(never)]
    pub(super) fn run_at_once(&self, task: &Task) {
        if self.is_closing() {
            return self.cancel(task);
        }
        let _outer = Outer::of_other(self);
        budget::begin(task.header().waker_id.get().slot());
        if self.run_inside(task) {
            self.end(task);
        }
    }

    /// Makes a child of a scope and inserts it into the run queue. The caller adds it to the scope,
    /// and then [observes](Self::observe_child) it.
    pub(crate) fn insert_child<'env, F: Future + 'env>(
        &self,
        future: F,
        options: SpawnOptions,
        scope: ByScope,
    ) -> Output<'env, F::Output> {
        let child = TaskCell::by_scope(self.ids.next(), options.spawned_at, future, scope);
        let Some(waker_id) = self.local_queue.insert(child.task().clone(), false) else {
            // Only an owner of a child may drop its future, and no scope owns this one.
            let _outer = Outer::of_part(self);
            child.header().abort();
            child.owner().run();
            panic!("{TOO_MANY}");
        };
        child.header().waker_id.set(waker_id);
        child
    }

    /// Calls the instruments about a new child. They may spawn more children of the scope.
    pub(crate) fn observe_child(&self, child: &Header) {
        if self.has_observers() {
            self.observe_spawn(child);
        }
    }

    /// Runs a turn of a task inside the turn of the running one, which then continues. Returns
    /// whether the task has ended.
    pub(crate) fn run_inside(&self, task: &impl Runnable) -> bool {
        let _outer = Outer::of_part(self);
        self.running.set(task.header().waker_id.get().slot());
        match catch(|| self.run_task(task)) {
            Ok(ran) => matches!(ran, RunOutcome::Ready | RunOutcome::Aborted),
            Err(panic) => {
                task.recover(panic).unwrap_or_else(|panic| panic.resume());
                true
            }
        }
    }

    /// Drops the future of a task at once, and ends the task. A panic of the destructor is reported
    /// unless the task has a handle.
    pub(crate) fn cancel(&self, task: &impl Runnable) {
        let _outer = Outer::of_other(self);
        self.cancel_inside(task);
    }

    /// Like [`cancel`](Executor::cancel), for a child of the running task.
    pub(crate) fn cancel_inside(&self, task: &impl Runnable) {
        let _outer = Outer::of_part(self);
        self.running.set(task.header().waker_id.get().slot());
        task.header().abort();
        if let Err(panic) = catch(|| self.run_task(task)) {
            let _ = task.recover(panic);
        }
        self.end(task);
    }

    fn run_task(&self, task: &impl Runnable) -> RunOutcome {
        let Some(beacon) = self.beacon() else { return task.run() };
        let _shown = beacon.save();
        self.run_observed(task)
    }
}

impl<'a> Outer<'a, current::Outer> {
    /// Begins code of another task, or of no task.
    pub(super) fn of_other(executor: &'a Executor) -> Self {
        Outer::new(executor, current::begin_other())
    }
}

impl<'a> Outer<'a, current::OuterPart> {
    /// Begins a part of the running code: the batch of a turn, or a child of the running task.
    #[inline]
    pub(super) fn of_part(executor: &'a Executor) -> Self {
        Outer::new(executor, current::begin_part())
    }
}

impl<'a, S> Outer<'a, S> {
    #[inline]
    fn new(executor: &'a Executor, state: S) -> Outer<'a, S> {
        Outer { executor, running: executor.running.replace(NO_TASK), _state: state }
    }
}

impl<S> Drop for Outer<'_, S> {
    #[inline]
    fn drop(&mut self) {
        self.executor.running.set(self.running);
    }
}
