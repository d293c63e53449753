//! L2: the tasks of one loop.
//!
//! | file | holds |
//! |---|---|
//! | `tasks` | `Executor`: spawning, ending and listing tasks |
//! | `batch` | running one batch of polls |
//! | `after_turn` | what runs between two turns of a batch |
//! | `nested` | turns inside other turns: eager tasks, children of scopes, cancelled tasks |
//! | `instrument` | the hooks by which other code observes a loop |
//! | `observe` | calls the hooks; what debug mode reports about polls and locks |
//! | `local_queue`, `run_queue` | the run queue of the loop that is in a turn; its slots |
//! | `scan` | looking at the tasks of a loop one by one, or in pieces |
//! | `task_cell` | the body of a task: its future, its output |
//! | `task_memory` | the memory of a task, and the references to it, which run its steps |
//! | `arena` | where the memory of small tasks comes from |
//! | `spans` | tasks as spans of the crate `tracing` |
//! | `root_record` | the record of the root, the future of `block_on` |
//! | `simulated` | what the driver of a simulated world needs of the executor of a host |
//! | `child_slot` | how a child of a scope gets its turns |
//! | `join_handle`, `join_error` | the handles of a task, and its error |
//! | `header`, `attachments` | the record of a task, and its rare parts |
//! | `task_info` | the public copy of the record |
//! | `task_end` | how a task ended, and what is called then |
//! | `task_output` | the errors in the outputs of detached tasks |
//! | `waiter`, `awaited` | the slot for the waker of the task that awaits an output; its use |
//! | `waker` | the waker of a task |

mod after_turn;
mod arena;
mod attachments;
mod awaited;
mod batch;
mod child_slot;
mod header;
mod instrument;
mod join_error;
mod join_handle;
pub(crate) mod local_queue;
mod nested;
mod observe;
mod root_record;
mod run_queue;
mod scan;
#[cfg(feature = "sim")]
mod simulated;
#[cfg_attr(not(feature = "tracing"), path = "executor/no_spans.rs")]
mod spans;
mod task_cell;
mod task_end;
mod task_info;
mod task_memory;
mod task_output;
mod tasks;
mod waiter;
mod waker;

pub(crate) use self::awaited::wake_waiter;
pub(crate) use self::batch::Batch;
pub(crate) use self::child_slot::{ByScope, ScopeState};
pub(crate) use self::header::{Flag, SpawnOptions};
pub use self::instrument::Instrument;
pub(crate) use self::instrument::{Hooks, Observers};
pub use self::join_error::JoinError;
pub use self::join_handle::{AbortHandle, Cancel, JoinHandle};
pub(crate) use self::local_queue::abort;
pub(crate) use self::task_cell::Output;
pub(crate) use self::task_end::EndCall;
pub use self::task_end::TaskEnd;
pub use self::task_info::{TaskInfo, TaskState};
pub(crate) use self::task_memory::{Owner, Runnable};
pub use self::task_output::TaskOutput;
#[cfg(feature = "sim")]
pub(crate) use self::task_output::knows;
pub(crate) use self::task_output::{drop_outcome, known_error};
pub(crate) use self::tasks::{Executor, Root};
pub(crate) use self::waker::{wake_task, woken_by};
