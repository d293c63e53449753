//! L0: what runs on this thread: which loop, which of its tasks, and what that waits for.
//!
//! The thread-local has no destructor: it may be asked while the thread ends. Invariant: the loop
//! is the innermost that is in a turn; the task is the one being polled, or nobody.

use std::cell::Cell;
use std::task::Poll;

use crate::task_id::TaskId;
use crate::waker_id::LoopId;

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
}

thread_local! {
    static CURRENT: Current = const {
        Current { loop_id: Cell::new(0), task: Cell::new(None), waits_for: Cell::new(None) }
    };
}

/// Makes a loop the running one, or none (0). Returns the one before.
pub(crate) fn replace_loop(id: LoopId) -> LoopId {
    CURRENT.with(|current| current.loop_id.replace(id))
}

/// The loop that is in a turn on this thread, or 0.
pub(crate) fn loop_id() -> LoopId {
    CURRENT.with(|current| current.loop_id.get())
}

/// Whether a loop is in a turn on this thread.
pub(crate) fn is_running() -> bool {
    loop_id() != 0
}

/// Makes a task the one being polled. Returns the one before.
pub(crate) fn replace_task(id: Option<TaskId>) -> Option<TaskId> {
    CURRENT.with(|current| current.task.replace(id))
}

/// A task is about to be polled: it waits for nothing yet.
pub(crate) fn begin_task(id: TaskId) {
    CURRENT.with(|current| {
        current.task.set(Some(id));
        current.waits_for.set(None);
    });
}

/// The task being polled.
pub(crate) fn task() -> Option<TaskId> {
    CURRENT.with(|current| current.task.get())
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
