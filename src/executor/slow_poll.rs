//! The reports of debug mode: slow polls, and locks that a task holds when it ends or waits for.

use std::time::{Duration, Instant};

use super::task_info::{Header, TaskInfo, TaskState};
use super::tasks::Executor;
use crate::clock;
use crate::current::{WaitsFor, debug};

impl Executor {
    /// Runs `poll`, and reports it if it takes longer than `limit`.
    #[cold]
    pub(super) fn run_timed<T>(&self, limit: Duration, poll: impl FnOnce() -> T) -> T {
        // Read before the poll: the end of a task removes its name.
        let task = self.info_at(self.running.get());
        let _timer = PollTimer { limit, began: clock::now(), task };
        let polled = poll();
        self.check_self_wait();
        polled
    }

    /// Reports that the task which was polled waits for a lock that it holds.
    fn check_self_wait(&self) {
        let Some(task) = self.info_at(self.running.get()) else { return };
        let Some(waits_for_lock) = debug::take_self_wait(task.id()) else { return };
        let is_waiting = task.state() == TaskState::Waiting;
        if is_waiting && task.waits_for() == Some(WaitsFor::Lock) {
            debug::report(format_args!(
                "{task} {waits_for_lock}, and for nothing else: a deadlock. Drop the guard first, \
                 pass it on, or use a ReentrantMutex"
            ));
        }
    }

    /// Reports the locks that a task holds at its end.
    #[cold]
    pub(super) fn check_locks(&self, header: &Header) {
        for lock in debug::take_held(header.id) {
            let task = self.info(header);
            debug::report(format_args!("{task} has ended, and left a {lock} locked"));
        }
    }
}

/// Measures one poll. Its drop reports a slow one, also after a panic.
struct PollTimer {
    limit: Duration,
    began: Instant,
    /// The task that is polled.
    task: Option<TaskInfo>,
}

impl Drop for PollTimer {
    fn drop(&mut self) {
        let took = clock::now().saturating_duration_since(self.began);
        if let Some(task) = self.task.as_ref().filter(|_| took > self.limit) {
            debug::report(format_args!(
                "{task} ran for {took:?} without an await, and held up all others"
            ));
        }
    }
}
