//! Observing the tasks of a loop: the list of tasks, the calls of instruments, and the reports of
//! debug mode about slow polls and locks that a task holds when it ends or waits for; the functions
//! to call when a task ends.
//!
//! Everything here is out of line: a loop without observers only tests whether it has any.

use std::time::Instant;

use super::header::{Header, SpawnOptions};
use super::instrument::Observers;
use super::run_queue::ROOT;
use super::runnable::{RunOutcome, Runnable};
use super::task_end::{EndCall, TaskEnd};
use super::task_info::{TaskInfo, TaskState};
use super::task_memory::Task;
use super::tasks::Executor;
use crate::caught::Caught;
use crate::clock;
use crate::current::{self, WaitsFor, debug};

impl Executor {
    /// Returns the first task in the slot `cursor` or a later one, and moves `cursor` behind it.
    pub(crate) fn next_info(&self, cursor: &mut u32) -> Option<TaskInfo> {
        if *cursor == ROOT {
            *cursor += 1;
            if let Some(root) = self.root_info() {
                return Some(root);
            }
        }
        let next = self.local_queue.with(|queue| {
            let (slot, task) = queue.task_from(*cursor)?;
            Some((slot, task.clone()))
        });
        let (slot, task) = next?;
        *cursor = slot + 1;
        Some(self.info(&task))
    }

    /// Returns the instruments and the settings of debug mode, if there are any.
    pub(crate) fn observers(&self) -> Option<&Observers> {
        self.hooks.observers.as_deref()
    }

    pub(super) fn has_observers(&self) -> bool {
        self.hooks.observers.is_some()
    }

    /// Returns whether the loop is in debug mode.
    pub(super) fn is_debug(&self) -> bool {
        self.hooks.is_debug()
    }

    /// Returns the first panic of an instrument since the last call.
    pub(super) fn take_hook_panic(&self) -> Option<Caught> {
        self.observers()?.take_panic()
    }

    /// Calls the instruments about the new task in `slot`.
    #[cold]
    pub(super) fn observe_spawn(&self, slot: u32) {
        let Some(observers) = self.observers() else { return };
        if let Some(task) = self.info_at(slot).filter(|_| observers.has_instruments()) {
            observers.each(&|instrument| instrument.spawned(&task));
        }
    }

    /// Runs a turn of the running task between the hooks.
    #[cold]
    pub(super) fn run_observed(&self, task: &impl Runnable) -> RunOutcome {
        self.observe_poll(|| task.run())
    }

    /// Runs `poll`, a turn of the running task, between the hooks. Reports it if it takes too long.
    pub(super) fn observe_poll<T>(&self, poll: impl FnOnce() -> T) -> T {
        let Some(observers) = self.observers() else { return poll() };
        let slot = self.running.get();
        if let Some(task) = self.info_at(slot).filter(|_| observers.has_instruments()) {
            observers.each(&|instrument| instrument.before_poll(&task));
        }
        // Made later, so that the hooks' time does not count.
        let observed = ObservedPoll { executor: self, observers, slot, began: clock::now() };
        let polled = poll();
        drop(observed);
        if self.is_debug() {
            self.check_self_wait(slot);
        }
        polled
    }

    /// Reports that the task which was polled waits for a lock that it holds.
    fn check_self_wait(&self, slot: u32) {
        let Some(task) = self.info_at(slot) else { return };
        let Some(waits_for_lock) = debug::take_self_wait(task.id()) else { return };
        let is_waiting = task.state() == TaskState::Waiting;
        if is_waiting && task.waits_for() == Some(WaitsFor::Lock) {
            debug::report(format_args!(
                "{task} {waits_for_lock}, and for nothing else: a deadlock. Drop the guard first, \
                 pass it on, or use a ReentrantMutex"
            ));
        }
    }

    /// Calls the instruments about a task that has ended, and reports the locks that it holds.
    #[cold]
    pub(super) fn observe_end(&self, task: Option<&Task>) {
        let (Some(observers), Some(task)) = (self.observers(), task) else { return };
        let info = self.info(task);
        if self.is_debug() {
            for lock in debug::take_held(info.id()) {
                debug::report(format_args!("{info} has ended, and left a {lock} locked"));
            }
        }
        let end = task.header().end.get();
        observers.each(&|instrument| instrument.ended(&info, end));
    }

    /// Calls the instruments about the root, whose future has completed or is dropped.
    #[cold]
    pub(super) fn observe_end_of_root(&self, end: TaskEnd) {
        if let (Some(observers), Some(info)) = (self.observers(), self.root_info()) {
            observers.each(&|instrument| instrument.ended(&info, end));
        }
    }

    /// Spawns a task for each function that is to be called after the end of a task. A child of a
    /// scope has none.
    #[cold]
    pub(super) fn call_at_end(&self, header: &Header) {
        // The new tasks have no parent.
        let _outer = current::begin_other();
        let (at_end, end) = (header.take_at_end(), header.end.get());
        for call in at_end.calls {
            self.spawn_end_call(call, end);
        }
        if let Some(report) = at_end.report {
            report();
        }
    }

    /// Spawns a task for a function that is called after the end of a task, unless it was removed.
    pub(crate) fn spawn_end_call(&self, call: EndCall, end: TaskEnd) {
        if !call.is_over() {
            let options = SpawnOptions::at(call.registered_at);
            drop(self.spawn(async move { call.call(end) }, options));
        }
    }
}

/// Measures one poll. Its drop, also after a panic, reports a slow one and calls the instruments.
struct ObservedPoll<'a> {
    executor: &'a Executor,
    observers: &'a Observers,
    slot: u32,
    began: Instant,
}

impl Drop for ObservedPoll<'_> {
    fn drop(&mut self) {
        let took = clock::now().saturating_duration_since(self.began);
        let is_slow = self.observers.slow_poll.is_some_and(|limit| took > limit);
        if !is_slow && !self.observers.has_instruments() {
            return;
        }
        let Some(task) = self.executor.info_at(self.slot) else { return };
        if is_slow {
            debug::report(format_args!(
                "{task} ran for {took:?} without an await, and held up all others: \
                 call task::spawn_blocking, or await task::yield_now in between"
            ));
        }
        self.observers.each(&|instrument| instrument.after_poll(&task));
    }
}
