//! What debug mode watches: polls that take long.

use std::time::{Duration, Instant};

use super::Executor;
use crate::clock;
use crate::debug;
use crate::info::TaskInfo;

/// Watches one poll; dropped after it.
pub(super) struct Watch {
    limit: Duration,
    began: Instant,
    /// Who is polled. Asked before, since its end takes its name away.
    task: Option<TaskInfo>,
}

impl Executor {
    /// Watches the poll that is about to begin.
    pub(super) fn watch(&self, limit: Duration) -> Watch {
        Watch { limit, began: clock::now(), task: self.running() }
    }
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
