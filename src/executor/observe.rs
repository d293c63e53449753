//! Observing the tasks of a loop: the calls of instruments, and the reports of debug mode about
//! slow polls and locks that a task holds when it ends or waits for; the functions to call when a
//! task ends.
//!
//! Everything here is out of line: a loop without observers only tests whether it has any.

use std::panic::Location;
use std::time::Instant;

use super::header::{Flag, Header, SpawnOptions};
use super::instrument::Observers;
use super::run_queue::ROOT;
use super::spans;
use super::task_end::{EndCall, TaskEnd};
use super::task_info::TaskState;
use super::task_memory::{RunOutcome, Runnable, Task};
use super::tasks::Executor;
use crate::caught::Caught;
use crate::clock;
use crate::current::{self, TaskId, WaitsFor, debug, locks};
use crate::threads::Beacon;

impl Executor {
    /// Returns the instruments and the settings of debug mode, if there are any.
    pub(crate) fn observers(&self) -> Option<&Observers> {
        self.hooks.observers.as_deref()
    }

    /// Returns the beacon, if the loop writes one.
    pub(crate) fn beacon(&self) -> Option<&Beacon> {
        self.observers().map(|observers| &*observers.beacon)
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

    /// Makes the new task in `slot`, with the record `header`, known to the beacon and to the
    /// instruments.
    #[cold]
    pub(super) fn observe_spawn(&self, header: &Header) {
        let Some(observers) = self.observers() else { return };
        observers.add_place(header.spawned_at);
        let name = header.name();
        if let Some(name) = &name {
            observers.beacon.set_name(header.id, name);
        }
        let is_child = header.has(Flag::IsChild);
        if spans::spawned(header.id, name.as_deref(), header.spawned_at, is_child) {
            observers.beacon.set_hooks();
        }
        self.call_spawned(observers, header.waker_id.get().slot());
    }

    /// Like [`observe_spawn`](Executor::observe_spawn), for the root, which has no name yet.
    #[cold]
    pub(super) fn observe_spawn_of_root(&self, spawned_at: &'static Location<'static>) {
        let Some(observers) = self.observers() else { return };
        observers.add_place(spawned_at);
        let root = self.root_id.get();
        if root.is_some_and(|id| spans::spawned(id, None, spawned_at, false)) {
            observers.beacon.set_hooks();
        }
        self.call_spawned(observers, ROOT);
    }

    fn call_spawned(&self, observers: &Observers, slot: u32) {
        if !observers.has_instruments() {
            return;
        }
        if let Some(task) = self.info_at(slot) {
            observers.each(&|instrument| instrument.spawned(&task));
        }
    }

    /// Runs a turn of the running task: shows it in the beacon, and calls the hooks around it.
    pub(super) fn run_observed(&self, task: &impl Runnable) -> RunOutcome {
        let Some(observers) = self.observers() else { return task.run() };
        let header = task.header();
        observers.beacon.begin_poll(header.id, header.spawned_at);
        if observers.beacon.is_plain() {
            return task.run();
        }
        self.observe_poll(observers, Some(header.id), || task.run())
    }

    /// Like [`run_observed`](Executor::run_observed), for the root, whose turn is `poll`.
    #[cold]
    pub(super) fn run_root_observed<T>(&self, poll: impl FnOnce() -> T) -> T {
        let Some(observers) = self.observers() else { return poll() };
        if let Some(root) = &*self.root.borrow() {
            observers.beacon.begin_poll(root.id, root.spawned_at);
        }
        if observers.beacon.is_plain() {
            return poll();
        }
        self.observe_poll(observers, self.root_id.get(), poll)
    }

    /// Runs `poll`, a turn of the running task, between the hooks. Records it, and reports it if it
    /// takes too long.
    #[cold]
    fn observe_poll<T>(
        &self,
        observers: &Observers,
        task: Option<TaskId>,
        poll: impl FnOnce() -> T,
    ) -> T {
        let slot = self.running.get();
        if observers.has_instruments() {
            if let Some(task) = self.info_at(slot) {
                observers.each(&|instrument| instrument.before_poll(&task));
            }
        }
        let recorded = observers.beacon.recorded();
        // Made later, so that the hooks' time does not count.
        let began = clock::now();
        let observed = ObservedPoll { executor: self, observers, slot, began, recorded };
        let polled = {
            let _entered = task.map(spans::enter);
            poll()
        };
        drop(observed);
        if self.is_debug() {
            self.check_self_wait(slot);
        }
        polled
    }

    /// Reports that the task which was polled waits for a lock that it holds.
    fn check_self_wait(&self, slot: u32) {
        let Some(task) = self.info_at(slot) else { return };
        let Some(waits_for_lock) = locks::take_self_wait(task.id()) else { return };
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
        if task.header().has_attachments() {
            observers.beacon.remove_name(task.header().id);
        }
        if observers.has_instruments() || observers.is_debug() {
            self.call_ended(observers, task);
        }
        spans::ended(task.header().id);
    }

    fn call_ended(&self, observers: &Observers, task: &Task) {
        let info = self.info(task);
        if self.is_debug() {
            for lock in locks::take_held(info.id()) {
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
            observers.beacon.remove_name(info.id());
            observers.each(&|instrument| instrument.ended(&info, end));
            spans::ended(info.id());
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
            drop(self.spawn_boxed(async move { call.call(end) }, options));
        }
    }
}

/// Measures one poll. Its drop, also after a panic, reports a slow one and calls the instruments.
struct ObservedPoll<'a> {
    executor: &'a Executor,
    observers: &'a Observers,
    slot: u32,
    began: Instant,
    /// The begin, the task and its place, if polls are recorded.
    recorded: Option<(u64, u64, usize)>,
}

impl Drop for ObservedPoll<'_> {
    fn drop(&mut self) {
        if let Some((begin, task, place)) = self.recorded {
            self.observers.record(begin, task, place);
        }
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
