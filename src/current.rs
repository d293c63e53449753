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
    /// How many eager tasks are being started, one inside of the other.
    depth: Cell<u32>,
}

/// One eager task more is being started, until this is dropped.
pub(crate) struct Deeper(());

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

/// A task is about to be polled: it waits for nothing yet.
pub(crate) fn begin_task(id: TaskId) {
    CURRENT.with(|current| {
        current.task.set(Some(id));
        current.waits_for.set(None);
    });
}

/// The poll of a task, in which others ran, goes on.
pub(crate) fn resume_task(id: Option<TaskId>, waits_for: Option<WaitsFor>) {
    CURRENT.with(|current| {
        current.task.set(id);
        current.waits_for.set(waits_for);
    });
}

/// The task being polled.
pub(crate) fn task() -> Option<TaskId> {
    CURRENT.with(|current| current.task.get())
}

/// How deep in starts of eager tasks the thread is: what belongs to a task that starts another is
/// not that one's.
pub(crate) fn depth() -> u32 {
    CURRENT.with(|current| current.depth.get())
}

/// An eager task is being started.
pub(crate) fn deeper() -> Deeper {
    CURRENT.with(|current| current.depth.set(current.depth.get() + 1));
    Deeper(())
}

impl Drop for Deeper {
    fn drop(&mut self) {
        CURRENT.with(|current| current.depth.set(current.depth.get() - 1));
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
