//! What debug mode reports: polls that take long, locks that a task leaves locked.

use std::time::{Duration, Instant};

use super::task_info::{Header, TaskInfo};
use super::tasks::Executor;
use crate::clock;
use crate::current::debug;

impl Executor {
    /// Runs `poll`, and tells of it if it takes longer than `limit`.
    #[cold]
    pub(super) fn watched<T>(&self, limit: Duration, poll: impl FnOnce() -> T) -> T {
        // Asked for before the poll: the end of a task takes its name away.
        let task = self.info_at(self.running.get());
        let _watch = Watch { limit, began: clock::now(), task };
        poll()
    }

    /// Tells of the locks that an ended task holds.
    #[cold]
    pub(super) fn check_locks(&self, header: &Header) {
        for lock in debug::take_held(header.id) {
            let task = self.info(header);
            debug::say(format_args!("{task} has ended, and left a {lock} locked"));
        }
    }
}

/// Watches one poll; dropped after it, also if that panics.
struct Watch {
    limit: Duration,
    began: Instant,
    /// Who is polled.
    task: Option<TaskInfo>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let took = clock::now().saturating_duration_since(self.began);
        if let Some(task) = self.task.as_ref().filter(|_| took > self.limit) {
            debug::say(format_args!(
                "{task} ran for {took:?} without an await, and held up all others"
            ));
        }
    }
}
