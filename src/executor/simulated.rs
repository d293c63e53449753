//! What the driver of a simulated world needs of the executor of a host.

use std::mem;
use std::panic::Location;

use super::header::Flag;
use super::root_record::RootRecord;
use super::task_memory::Task;
use super::tasks::Executor;
use crate::current::TaskId;

/// The number of ready tasks among which a world usually chooses.
const CHOOSE_FROM: u64 = 8;

impl Executor {
    /// Chooses which of the ready tasks is polled next. Calls keep their order.
    pub(crate) fn choose(&self, random: impl FnOnce() -> u64) {
        let ready = self.ready() as u64;
        if ready < 2 {
            return;
        }
        let random = random();
        // Usually one of the next few; one of twice as many with half the probability, and so on,
        // so that the walk through a long queue is short.
        let doublings = (random as u32 | (1 << 24)).trailing_zeros();
        let reach = ready.min(CHOOSE_FROM << doublings);
        let place = (((random >> 32) * reach) >> 32) as u32;
        let is_call = |task: &Task| task.header().has(Flag::IsCall);
        self.local_queue.with(|queue| queue.bring_forward(place, is_call));
    }

    /// Returns the task that is polled next.
    pub(crate) fn next_task(&self) -> Option<TaskId> {
        let first = self.local_queue.with(|queue| {
            let slot = queue.first()?;
            Some(queue.task(slot).map(|task| task.header().id))
        });
        // A slot without a task is the root's.
        first?.or_else(|| Some(self.root.borrow().as_ref()?.id))
    }

    /// Queues a root whose future the driver holds, and stores its record until
    /// [`end_root`](Executor::end_root).
    pub(crate) fn start_root(&self, spawned_at: &'static Location<'static>) {
        mem::forget(self.begin_root(spawned_at));
    }

    /// Removes the record of the root.
    pub(crate) fn end_root(&self) {
        drop(RootRecord(self));
    }
}
