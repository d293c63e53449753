//! Tasks: spawning them, waiting for them, running them together, and looking at them.
//!
//! A task is a future that the loop polls by itself, beside all others, on the loop's one thread.
//! So a task need not be `Send`, and between two awaits no other task runs.
//!
//! | item | what it does |
//! |---|---|
//! | [`spawn()`] | spawns a task |
//! | [`spawn_later`] | spawns a task that begins after a time |
//! | [`Builder`] | spawns a task with a name, or one that is polled at once |
//! | [`JoinHandle`], [`JoinError`] | waits for a task, or aborts it; why it has no output |
//! | [`AbortHandle`], [`Cancel`] | aborts a task; waits for the end of an aborted task |
//! | [`TaskEnd`], [`EndCallback`] | how a task ended, for the functions that are called then |
//! | [`TaskOutput`] | the outputs of tasks that [`JoinHandle::detach`] accepts |
//! | [`report_error`] | reports an error to the loop's handler |
//! | [`shield()`], [`shielded`], [`Shielded`] | runs on when the future that awaits it is dropped |
//! | [`gather()`], [`try_gather`] | runs futures together and returns all outputs |
//! | [`join!`](crate::join), [`try_join!`](crate::try_join) | the same for several types |
//! | [`race()`], [`select!`](crate::select) | waits for the first of several futures |
//! | [`gather_limit()`], [`try_gather_limit`] | the same, with at most so many at a time |
//! | [`buffered()`], [`buffer_unordered`] | streams of the outputs, at most so many at a time |
//! | [`scope()`], [`Scope`], [`ScopedHandle`] | runs tasks that borrow, and waits for all of them |
//! | [`try_scope()`], [`TryScope`], [`GroupError`] | a scope that ends at the first error |
//! | [`Started`], [`Start`], [`NotStarted`] | a child reports that it is ready: [`Scope::start`] |
//! | [`JoinSet`], [`wait()`], [`ReturnWhen`] | joins tasks in the order in which they end |
//! | [`JoinMap`], [`JoinQueue`] | joins tasks by key; in the order in which they were spawned |
//! | [`TaskTracker`], [`TaskTrackerToken`] | counts tasks, and waits until none is left |
//! | [`spawn_blocking()`], [`BlockingHandle`] | runs work on a thread of the blocking pool |
//! | [`blocking_is_cancelled`] | whether the output of the running blocking work will be taken |
//! | [`BlockingPool`], [`BlockingPoolBuilder`] | a blocking pool beside that of the loop |
//! | [`yield_now()`], [`YieldNow`] | lets other tasks run |
//! | [`consume_budget`], [`has_budget_remaining`] | lets other tasks run if the budget is spent |
//! | [`cooperative`], [`poll_proceed`], [`Proceed`] | makes a future spend budget |
//! | [`unconstrained`] | runs a future without a budget |
//! | [`until_idle()`], [`UntilIdle`] | waits until all other tasks are blocked |
//! | [`task_local!`](crate::task_local), [`LocalKey`], [`OutOfScope`] | values of a task |
//! | [`Local`], [`LocalError`] | a `Send` name of a value that stays on the loop's thread |
//! | [`ReentrantMutex`], [`ReentrantMutexGuard`] | a mutex that its owner can lock again |
//! | [`current`], [`all`] | the running task; all tasks |
//! | [`iter()`], [`TaskIter`] | the tasks one by one, for a loop with many |
//! | [`TaskInfo`], [`TaskId`], [`TaskState`], [`WaitsFor`] | what is known about a task |
//!
//! ```
//! use evloop::task;
//!
//! evloop::block_on(async {
//!     let task = evloop::spawn(async { 6 * 7 });
//!     let lengths = task::gather(["to", "await"].map(|word| async { word.len() }));
//!     assert_eq!(lengths.await, [2, 5]);
//!     assert_eq!(task.await.unwrap(), 42);
//! });
//! ```

// Layer L4.

mod blocking_pool;
mod buffered;
mod builder;
mod children;
mod completion;
mod coop;
mod gather;
mod gather_limit;
mod iter;
mod join;
mod join_entry;
mod join_map;
mod join_queue;
mod join_set;
mod local;
mod local_io;
mod local_key;
#[cfg(feature = "tokio-io")]
mod local_tokio_io;
mod members;
mod race;
mod reentrant_mutex;
mod rotation;
mod running;
mod scope;
mod scoped_handle;
mod select;
mod shield;
#[cfg(test)]
mod snapshot_tests;
mod spawn;
mod spawn_blocking;
mod start;
mod tracker;
mod try_scope;
mod until_idle;
mod wait;
mod yield_now;

#[doc(alias = "ThreadPool")]
#[doc(alias = "ThreadPoolExecutor")]
pub use self::blocking_pool::BlockingPool;
pub use self::blocking_pool::BlockingPoolBuilder;
#[doc(alias = "imap_unordered")]
pub use self::buffered::buffer_unordered;
#[doc(alias = "imap")]
pub use self::buffered::buffered;
#[doc(alias = "eager_task_factory")]
pub use self::builder::Builder;
#[doc(alias = "remove_done_callback")]
pub use self::completion::EndCallback;
pub use self::coop::has_budget_remaining;
#[doc(alias = "coop")]
#[doc(alias = "RestoreOnPending")]
pub use self::coop::{Proceed, poll_proceed};
#[doc(alias = "coop")]
pub use self::coop::{consume_budget, cooperative, unconstrained};
#[doc(alias = "joinall")]
#[doc(alias = "join_all")]
pub use self::gather::gather;
#[doc(alias = "gather")]
#[doc(alias = "joinall")]
#[doc(alias = "try_join_all")]
pub use self::gather::try_gather;
#[doc(alias = "map")]
#[doc(alias = "Pool")]
pub use self::gather_limit::gather_limit;
#[doc(alias = "Pool")]
pub use self::gather_limit::try_gather_limit;
#[doc(alias = "all_tasks")]
pub use self::iter::{TaskIter, iter};
pub use self::join_map::JoinMap;
pub use self::join_queue::JoinQueue;
#[doc(alias = "as_completed")]
#[doc(alias = "iwait")]
#[doc(alias = "Group")]
#[doc(alias = "Pool")]
pub use self::join_set::JoinSet;
#[doc(alias = "SendWrapper")]
#[doc(alias = "Fragile")]
pub use self::local::Local;
pub use self::local::LocalError;
#[doc(alias = "ContextVar")]
pub use self::local_key::LocalKey;
pub use self::local_key::LocalValue;
#[doc(alias = "AccessError")]
#[doc(alias = "LookupError")]
pub use self::local_key::OutOfScope;
#[doc(alias = "FIRST_COMPLETED")]
#[doc(alias = "select_all")]
pub use self::race::race;
#[doc(alias = "RLock")]
pub use self::reentrant_mutex::ReentrantMutex;
pub use self::reentrant_mutex::ReentrantMutexGuard;
pub use self::rotation::Rotation;
#[doc(alias = "Nursery")]
#[doc(alias = "TaskGroup")]
pub use self::scope::Scope;
#[doc(alias = "TaskGroup")]
#[doc(alias = "open_nursery")]
pub use self::scope::scope;
pub use self::scoped_handle::ScopedHandle;
pub use self::shield::shield;
#[doc(alias = "CancelScope")]
#[doc(alias = "shield")]
pub use self::shield::{Shielded, shielded};
#[doc(alias = "all_tasks")]
#[doc(alias = "enumerate")]
#[doc(alias = "print_run_info")]
pub use self::spawn::all;
#[doc(alias = "current_task")]
#[doc(alias = "getcurrent")]
#[doc(alias = "current_thread")]
pub use self::spawn::current;
#[doc(alias = "call_exception_handler")]
#[doc(alias = "handle_error")]
pub use self::spawn::report_error;
#[doc(alias = "create_task")]
#[doc(alias = "ensure_future")]
#[doc(alias = "spawn_local")]
#[doc(alias = "spawn_system_task")]
pub use self::spawn::spawn;
#[doc(alias = "start_later")]
pub use self::spawn::spawn_later;
pub use self::spawn_blocking::BlockingHandle;
#[doc(alias = "check_cancelled")]
#[doc(alias = "from_thread")]
pub use self::spawn_blocking::blocking_is_cancelled;
#[doc(alias = "to_thread")]
#[doc(alias = "run_in_executor")]
#[doc(alias = "run_sync")]
#[doc(alias = "ThreadPool")]
#[doc(alias = "ThreadPoolExecutor")]
#[doc(alias = "block_in_place")]
#[doc(alias = "unblock")]
#[doc(alias = "start_thread_soon")]
pub use self::spawn_blocking::spawn_blocking;
#[doc(alias = "TaskStatus")]
#[doc(alias = "TASK_STATUS_IGNORED")]
pub use self::start::Started;
pub use self::start::{NotStarted, Start};
pub use self::tracker::{TaskTracker, TaskTrackerToken};
#[doc(alias = "ExceptionGroup")]
pub use self::try_scope::GroupError;
#[doc(alias = "TaskGroup")]
pub use self::try_scope::{TryScope, try_scope};
pub use self::until_idle::UntilIdle;
#[doc(alias = "idle")]
#[doc(alias = "run_until_idle")]
#[doc(alias = "run_until_stalled")]
#[doc(alias = "wait_all_tasks_blocked")]
pub use self::until_idle::until_idle;
pub use self::wait::ReturnWhen;
#[doc(alias = "joinall")]
pub use self::wait::wait;
pub use self::yield_now::YieldNow;
#[doc(alias = "sleep")]
#[doc(alias = "checkpoint")]
pub use self::yield_now::yield_now;
pub use crate::current::{TaskId, WaitsFor};
#[doc(alias = "Greenlet")]
#[doc(alias = "Task")]
#[doc(alias = "FallibleTask")]
pub use crate::executor::JoinHandle;
pub use crate::executor::{
    AbortHandle, Cancel, JoinError, TaskEnd, TaskInfo, TaskOutput, TaskState,
};
