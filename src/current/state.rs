//! The loop and the task that run on this thread.
//!
//! The thread-local has no destructor, so it can be read while the thread ends. Invariant: the loop
//! is the innermost one in a turn; the task is the one being polled, if any.

use std::cell::Cell;

use super::budget::{self, SavedBudget};
use super::task_id::TaskId;
use super::waits::{self, Waits};
use super::waker_id::LoopId;

struct Current {
    /// 0: no loop runs on this thread.
    loop_id: Cell<LoopId>,
    task: Cell<Option<TaskId>>,
    /// The nesting depth of code that belongs to different tasks.
    depth: Cell<u32>,
    /// A host on this thread runs the turns of a loop, also while it runs its own tasks.
    is_hosted: Cell<bool>,
}

/// Exists while a host on this thread runs the turns of a loop.
#[cfg(all(feature = "tokio", unix, not(mio_unsupported_force_poll_poll)))]
#[must_use = "dropping it ends the hosting"]
pub(crate) struct Hosting {
    _budget: SavedBudget,
}

/// The state of the outer code. Its drop restores that state.
///
/// A function that runs the code of a task inside other code holds one: the inner code does not see
/// the state of the outer code, and does not change it.
#[must_use = "dropping it restores the state of the outer code"]
pub(crate) struct Outer {
    loop_id: LoopId,
    depth: u32,
    _part: OuterPart,
    _budget: Option<SavedBudget>,
}

/// The task of the outer code, and what it waits for. Its drop restores them: a part of the code
/// changes nothing else.
#[must_use = "dropping it restores the state of the outer code"]
pub(crate) struct OuterPart {
    task: Option<TaskId>,
    waits: Waits,
}

thread_local! {
    static CURRENT: Current = const {
        Current {
            loop_id: Cell::new(0),
            task: Cell::new(None),
            depth: Cell::new(0),
            is_hosted: Cell::new(false),
        }
    };
}

/// Returns the loop that is in a turn on this thread, or 0.
pub(crate) fn loop_id() -> LoopId {
    CURRENT.with(|current| current.loop_id.get())
}

/// Returns whether a loop is in a turn on this thread, or tokio hosts one: then code that blocks
/// the thread blocks the loop.
pub(crate) fn is_running() -> bool {
    CURRENT.with(|current| current.loop_id.get() != 0 || current.is_hosted.get())
}

/// Begins the hosting of a loop on this thread.
#[cfg(all(feature = "tokio", unix, not(mio_unsupported_force_poll_poll)))]
pub(crate) fn begin_hosting() -> Hosting {
    CURRENT.with(|current| current.is_hosted.set(true));
    Hosting { _budget: budget::save() }
}

/// Begins the code of a task. The task waits for nothing yet.
pub(crate) fn begin_task(id: TaskId) {
    CURRENT.with(|current| current.task.set(Some(id)));
    waits::begin();
}

/// Ends the code of a task: the code that follows belongs to no task.
pub(crate) fn end_task() {
    CURRENT.with(|current| current.task.set(None));
}

/// Returns the task whose code runs.
pub(crate) fn task() -> Option<TaskId> {
    CURRENT.with(|current| current.task.get())
}

/// Returns the nesting depth of code that belongs to different tasks. A task-local can be read only
/// at the depth at which its value was set.
pub(crate) fn depth() -> u32 {
    CURRENT.with(|current| current.depth.get())
}

/// Begins a turn of a loop. No task of the loop runs yet.
pub(crate) fn begin_turn(id: LoopId) -> Outer {
    let outer = begin_other();
    CURRENT.with(|current| current.loop_id.set(id));
    outer
}

/// Begins code of another task, or of no task. The code has its own task-locals, and an unlimited
/// budget until a poll begins.
pub(crate) fn begin_other() -> Outer {
    let outer = Outer::new(Some(budget::save()));
    CURRENT.with(|current| current.depth.set(outer.depth + 1));
    end_task();
    outer
}

/// Begins a part of the running code, such as a child of a scope. It shares the budget and the
/// task-locals.
#[inline]
pub(crate) fn begin_part() -> OuterPart {
    OuterPart { task: task(), waits: waits::get() }
}

/// Begins the root of a turn. It shares the task-locals of the code that runs the loop.
pub(crate) fn begin_root() -> Outer {
    let outer = Outer::new(None);
    CURRENT.with(|current| current.depth.set(outer.depth - 1));
    outer
}

impl Outer {
    fn new(budget: Option<SavedBudget>) -> Outer {
        CURRENT.with(|current| Outer {
            loop_id: current.loop_id.get(),
            depth: current.depth.get(),
            _part: begin_part(),
            _budget: budget,
        })
    }
}

#[cfg(all(feature = "tokio", unix, not(mio_unsupported_force_poll_poll)))]
impl Drop for Hosting {
    fn drop(&mut self) {
        CURRENT.with(|current| current.is_hosted.set(false));
        budget::end_host();
    }
}

impl Drop for Outer {
    fn drop(&mut self) {
        CURRENT.with(|current| {
            current.loop_id.set(self.loop_id);
            current.depth.set(self.depth);
        });
    }
}

impl Drop for OuterPart {
    #[inline]
    fn drop(&mut self) {
        CURRENT.with(|current| current.task.set(self.task));
        waits::set(self.waits);
    }
}
