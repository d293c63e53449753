//! Looking at the tasks of a loop one by one, or in pieces.
//!
//! A task keeps its slot until it ends, so a walk over the slots meets each task that lives all the
//! time once, whatever happens between two steps. Invariant: a step takes time in proportion to the
//! slots that it passes.

use std::ops::Range;

use super::run_queue::ROOT;
use super::task_info::TaskInfo;
use super::tasks::Executor;

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

    /// Returns the tasks in `slots`, in the order of their slots. Returns `None` behind the last
    /// slot.
    pub(crate) fn infos_in(&self, slots: Range<u32>) -> Option<Vec<TaskInfo>> {
        if self.local_queue.with(|queue| slots.start >= queue.slots()) {
            return None;
        }
        let mut infos = Vec::new();
        if slots.contains(&ROOT) {
            infos.extend(self.root_info());
        }
        for task in self.local_queue.tasks_in(slots) {
            infos.push(self.info(&task));
        }
        Some(infos)
    }
}
