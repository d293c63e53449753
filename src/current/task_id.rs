//! The numbers of tasks, never reused.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::world::{self, Here};

/// Identifies a task. An id is never reused within a process.
///
/// In a simulated world the ids count the tasks of each host, so that they are the same in each run
/// of a seed: they are unique within a world, and `2.17` is task 17 of host 2.
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

/// Values of tasks. The crate makes the keys, so that no random hash has to protect the map.
pub(crate) type TaskMap<V> = HashMap<TaskId, V, BuildHasherDefault<DefaultHasher>>;

/// Generates the ids of the tasks of one loop, without an atomic operation for each.
#[derive(Debug, Default)]
pub(crate) struct TaskIds {
    next: Cell<u64>,
    end: Cell<u64>,
}

/// The number of ids that a loop takes at once from the counter of the process.
const BLOCK: u64 = 1 << 10;

/// The next id of the process.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Takes the next ids of the process: the first, and the end.
fn block() -> (u64, u64) {
    let begin = NEXT.fetch_add(BLOCK, Ordering::Relaxed);
    (begin, begin + BLOCK)
}

impl TaskIds {
    pub(crate) fn next(&self) -> TaskId {
        if self.next.get() == self.end.get() {
            let (begin, end) = world::driven().map_or_else(block, Here::task_ids);
            self.next.set(begin);
            self.end.set(end);
        }
        TaskId::new(self.next.replace(self.next.get() + 1))
    }
}

impl TaskId {
    /// Returns an id for a task that was never spawned.
    pub(crate) fn never_spawned() -> TaskId {
        let (id, _) = world::driven().map_or_else(block, Here::task_ids);
        TaskId::new(id)
    }

    pub(crate) fn number(self) -> u64 {
        self.0.get()
    }

    /// Returns the number of the task on its host in a simulated world.
    #[cfg(feature = "sim")]
    pub(crate) fn ordinal(self) -> u64 {
        world::ordinal(self.0.get()).map_or(self.0.get(), |(_, ordinal)| ordinal)
    }

    fn new(id: u64) -> TaskId {
        TaskId(NonZeroU64::new(id).expect("ids begin at 1, and 2^64 tasks take centuries to spawn"))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match world::ordinal(self.0.get()) {
            None => write!(f, "{}", self.0),
            Some((host, ordinal)) => write!(f, "{host}.{ordinal}"),
        }
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({self})")
    }
}
