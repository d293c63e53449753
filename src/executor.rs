//! L2: the tasks of one loop.
//!
//! | file | holds |
//! |---|---|
//! | `tasks` | `Executor`: spawning, ending and listing tasks |
//! | `batch` | running one batch of polls |
//! | `nested` | turns inside other turns: eager tasks, children of scopes, cancelled tasks |
//! | `slow_poll` | what debug mode reports about polls and locks |
//! | `local_queue`, `run_queue` | the run queue of the loop that is in a turn; its slots |
//! | `runnable`, `task_cell`, `child_slot` | what a slot holds: a task, or a child of a scope |
//! | `join_handle`, `join_error` | the handles of a task, and its error |
//! | `task_info` | the record of a task, and the public copy of it |
//! | `waker` | the waker of a task |

mod batch;
mod child_slot;
mod join_error;
mod join_handle;
pub(crate) mod local_queue;
mod nested;
mod run_queue;
mod runnable;
mod slow_poll;
mod task_cell;
mod task_info;
mod tasks;
mod waker;

pub(crate) use self::batch::Batch;
pub(crate) use self::child_slot::{ChildSlot, ScopeState};
pub use self::join_error::JoinError;
pub use self::join_handle::{AbortHandle, JoinHandle};
pub(crate) use self::runnable::{Runnable, wake_waiter};
pub(crate) use self::task_cell::{Output, TaskCell, abort};
pub(crate) use self::task_info::SpawnOptions;
pub use self::task_info::{TaskInfo, TaskState};
pub(crate) use self::tasks::{Executor, Hooks, Root};
