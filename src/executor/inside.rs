//! Turns inside of turns: of eager tasks in their `spawn`, of children in their scope.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use super::{Executor, NOBODY, TOO_MANY};
use crate::budget;
use crate::current::{self, WaitsFor};
use crate::info::{Birth, Header};
use crate::relay::{Family, Relay};
use crate::run::{Ran, Run};
use crate::task_id::TaskId;

/// Who ran before, and does again when this is dropped.
pub(super) struct Outer<'a> {
    executor: &'a Executor,
    running: u32,
    task: Option<TaskId>,
    waits_for: Option<WaitsFor>,
}

impl Executor {
    /// Gives a new task its first turn, inside of that of another.
    pub(super) fn run_eagerly(&self, task: &dyn Run) {
        let _deeper = current::deeper();
        let _budget = budget::set_aside();
        budget::begin(task.header().waker_id.get().slot());
        if self.run_inside(task) {
            let _outer = Outer::new(self, NOBODY);
            self.end(task);
        }
    }

    /// Gives a slot to a child of a scope.
    pub(crate) fn adopt(&self, birth: Birth, family: Rc<Family>, key: usize) -> Rc<Relay> {
        let header = Header::new(self.ids.next(), birth.spawned_at);
        let relay = Relay::new(header, family, key);
        let admitted = self.home.with(|queue| queue.admit(self.home.id(), relay.clone()));
        Run::header(&*relay).waker_id.set(admitted.expect(TOO_MANY));
        relay
    }

    /// Gives a task its turn inside of that of the running one, which then runs on. Returns whether
    /// it has ended.
    pub(crate) fn run_inside(&self, task: &dyn Run) -> bool {
        let _outer = Outer::new(self, task.header().waker_id.get().slot());
        match catch_unwind(AssertUnwindSafe(|| task.run())) {
            Ok(ran) => matches!(ran, Ran::Ready | Ran::Aborted),
            Err(payload) => {
                task.recover(payload).unwrap_or_else(|payload| resume_unwind(payload));
                true
            }
        }
    }
}

impl<'a> Outer<'a> {
    /// `running` is in the slot that runs now.
    pub(super) fn new(executor: &'a Executor, running: u32) -> Outer<'a> {
        Outer {
            executor,
            running: executor.running.replace(running),
            task: current::task(),
            waits_for: current::waits_for(),
        }
    }
}

impl Drop for Outer<'_> {
    fn drop(&mut self) {
        self.executor.running.set(self.running);
        current::resume_task(self.task, self.waits_for);
    }
}
