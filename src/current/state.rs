//! What runs on this thread: which loop, which of its tasks, and what that waits for.
//!
//! The thread-local has no destructor: it may be asked while the thread ends. Invariant: the loop
//! is the innermost that is in a turn; the task is the one being polled, or nobody.

use std::cell::Cell;
use std::task::Poll;

use super::budget::{self, Aside};
use super::task_id::TaskId;
use super::waker_id::LoopId;

/// What a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitsFor {
    /// The end of a task.
    Task,
    /// An instant.
    Time,
    /// A socket, a pipe or another descriptor.
    Io,
    /// A channel or a queue: a value of it, or room in it.
    Channel,
    /// A lock: `Mutex`, `RwLock`, `Semaphore` and their like.
    Lock,
    /// That something happens: `Event`, `Notify`, `Condvar`, `Barrier`.
    Event,
    /// A helper thread.
    Thread,
}

struct Current {
    /// 0: no loop runs here.
    loop_id: Cell<LoopId>,
    task: Cell<Option<TaskId>>,
    waits_for: Cell<Option<WaitsFor>>,
    /// How many pieces of code run inside of each other that belong to different tasks.
    depth: Cell<u32>,
}

/// What ran on this thread before. It runs on when this is dropped.
///
/// Whatever runs the code of a task inside of other code holds one: nothing of the outer code shows
/// through, and nothing of the inner code stays.
#[must_use = "the outer code runs on when it is dropped"]
pub(crate) struct Outer {
    loop_id: LoopId,
    task: Option<TaskId>,
    waits_for: Option<WaitsFor>,
    depth: u32,
    _budget: Option<Aside>,
}

thread_local! {
    static CURRENT: Current = const {
        Current {
            loop_id: Cell::new(0),
            task: Cell::new(None),
            waits_for: Cell::new(None),
            depth: Cell::new(0),
        }
    };
}

/// The loop that is in a turn on this thread, or 0.
pub(crate) fn loop_id() -> LoopId {
    CURRENT.with(|current| current.loop_id.get())
}

/// Whether a loop is in a turn on this thread.
pub(crate) fn is_running() -> bool {
    loop_id() != 0
}

/// The code of a task is about to run: it waits for nothing yet.
pub(crate) fn begin_task(id: TaskId) {
    CURRENT.with(|current| {
        current.task.set(Some(id));
        current.waits_for.set(None);
    });
}

/// What runs now belongs to no task.
pub(crate) fn end_task() {
    CURRENT.with(|current| current.task.set(None));
}

/// The task whose code runs.
pub(crate) fn task() -> Option<TaskId> {
    CURRENT.with(|current| current.task.get())
}

/// How deep in code of different tasks the thread is. A task-local can be read only at the depth at
/// which it was given its value.
pub(crate) fn depth() -> u32 {
    CURRENT.with(|current| current.depth.get())
}

/// A turn of a loop begins. No task of it runs yet.
pub(crate) fn begin_turn(id: LoopId) -> Outer {
    let outer = begin_other();
    CURRENT.with(|current| current.loop_id.set(id));
    outer
}

/// Code of another task, or of none, begins: it has task-locals of its own, and an unlimited budget
/// unless it is given one.
pub(crate) fn begin_other() -> Outer {
    let outer = Outer::new(Some(budget::set_aside()));
    CURRENT.with(|current| current.depth.set(outer.depth + 1));
    end_task();
    outer
}

/// A part of what runs begins, as a child is of its scope: it shares the budget and the
/// task-locals.
pub(crate) fn begin_part() -> Outer {
    Outer::new(None)
}

/// The root of a turn begins: it has the task-locals of the code that runs the loop.
pub(crate) fn begin_root() -> Outer {
    let outer = Outer::new(None);
    CURRENT.with(|current| current.depth.set(outer.depth - 1));
    outer
}

impl Outer {
    fn new(budget: Option<Aside>) -> Outer {
        CURRENT.with(|current| Outer {
            loop_id: current.loop_id.get(),
            task: current.task.get(),
            waits_for: current.waits_for.get(),
            depth: current.depth.get(),
            _budget: budget,
        })
    }
}

impl Drop for Outer {
    fn drop(&mut self) {
        CURRENT.with(|current| {
            current.loop_id.set(self.loop_id);
            current.task.set(self.task);
            current.waits_for.set(self.waits_for);
            current.depth.set(self.depth);
        });
    }
}

/// `Pending`, of a future that waits for `what`.
#[inline]
pub(crate) fn pending<T>(what: WaitsFor) -> Poll<T> {
    CURRENT.with(|current| current.waits_for.set(Some(what)));
    Poll::Pending
}

/// What the last future waits for that said so.
pub(crate) fn waits_for() -> Option<WaitsFor> {
    CURRENT.with(|current| current.waits_for.get())
}
