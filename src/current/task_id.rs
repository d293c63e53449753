//! The name of a task that is never used twice.

use std::cell::Cell;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names a task for as long as the process lives; never used twice.
///
/// ```
/// evloop::block_on(async {
///     let task = evloop::spawn(async { evloop::task::current().unwrap().id() });
///     let id = task.id();
///     assert_eq!(task.await.unwrap(), id);
/// });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(NonZeroU64);

/// Gives out ids to the tasks of one loop, without an atomic for each.
#[derive(Debug, Default)]
pub(crate) struct TaskIds {
    next: Cell<u64>,
    end: Cell<u64>,
}

/// Ids that a loop takes at once from the process's counter.
const BLOCK: u64 = 1 << 10;

/// The process's next id.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl TaskIds {
    pub(crate) fn next(&self) -> TaskId {
        if self.next.get() == self.end.get() {
            let begin = NEXT.fetch_add(BLOCK, Ordering::Relaxed);
            self.next.set(begin);
            self.end.set(begin + BLOCK);
        }
        TaskId::new(self.next.replace(self.next.get() + 1))
    }
}

impl TaskId {
    /// An id for a task that was never spawned.
    pub(crate) fn unborn() -> TaskId {
        TaskId::new(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn new(id: u64) -> TaskId {
        TaskId(NonZeroU64::new(id).expect("ids begin at 1, and 2^64 tasks take centuries to spawn"))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({})", self.0)
    }
}
