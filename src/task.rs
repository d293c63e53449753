//! Tasks: spawning them, waiting for them, running them together, and looking at them.
//!
//! A task is a future that the loop polls by itself, beside all others, on the loop's one thread.
//! So a task need not be `Send`, and between two awaits no other task runs.
//!
//! | item | what it does |
//! |---|---|
//! | [`spawn()`] | spawns a task |
//! | [`Builder`] | spawns a task with a name, or one that is polled at once |
//! | [`JoinHandle`], [`JoinError`] | waits for a task, or aborts it; why it has no output |
//! | [`AbortHandle`] | aborts a task |
//! | [`shield`] | protects a task from the end of the future that awaits it |
//! | [`gather()`], [`try_gather`] | runs futures together and returns all outputs |
//! | [`scope()`], [`Scope`], [`ScopedHandle`] | runs tasks that borrow, and waits for all of them |
//! | [`try_scope()`], [`TryScope`], [`GroupError`] | a scope that ends at the first error |
//! | [`JoinSet`], [`wait`], [`ReturnWhen`] | joins tasks in the order in which they end |
//! | [`spawn_blocking()`], [`BlockingHandle`] | runs work on a thread of the blocking pool |
//! | [`blocking_is_cancelled`] | whether the output of the running blocking work will be taken |
//! | [`BlockingPool`], [`BlockingPoolBuilder`] | a blocking pool beside that of the loop |
//! | [`yield_now()`], [`YieldNow`] | lets other tasks run |
//! | [`until_idle()`], [`UntilIdle`] | waits until all other tasks are blocked |
//! | [`task_local!`](crate::task_local), [`LocalKey`], [`OutOfScope`] | values of a task |
//! | [`ReentrantMutex`], [`ReentrantMutexGuard`] | a mutex that its owner can lock again |
//! | [`current`], [`all`] | the running task; all tasks |
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
mod builder;
mod children;
mod completion;
mod gather;
mod join_set;
mod local;
mod reentrant_mutex;
mod scope;
mod scoped_handle;
mod spawn;
mod spawn_blocking;
mod try_scope;
mod until_idle;
mod yield_now;

#[doc(alias = "ThreadPool")]
#[doc(alias = "ThreadPoolExecutor")]
pub use self::blocking_pool::BlockingPool;
pub use self::blocking_pool::BlockingPoolBuilder;
#[doc(alias = "eager_task_factory")]
pub use self::builder::Builder;
pub use self::completion::shield;
#[doc(alias = "joinall")]
#[doc(alias = "join_all")]
pub use self::gather::gather;
#[doc(alias = "gather")]
#[doc(alias = "joinall")]
#[doc(alias = "try_join_all")]
pub use self::gather::try_gather;
#[doc(alias = "as_completed")]
#[doc(alias = "iwait")]
#[doc(alias = "Group")]
pub use self::join_set::JoinSet;
pub use self::join_set::ReturnWhen;
#[doc(alias = "joinall")]
pub use self::join_set::wait;
#[doc(alias = "ContextVar")]
pub use self::local::LocalKey;
pub use self::local::LocalValue;
#[doc(alias = "AccessError")]
#[doc(alias = "LookupError")]
pub use self::local::OutOfScope;
#[doc(alias = "RLock")]
pub use self::reentrant_mutex::ReentrantMutex;
pub use self::reentrant_mutex::ReentrantMutexGuard;
#[doc(alias = "Nursery")]
#[doc(alias = "TaskGroup")]
pub use self::scope::Scope;
#[doc(alias = "TaskGroup")]
#[doc(alias = "TaskTracker")]
#[doc(alias = "open_nursery")]
pub use self::scope::scope;
pub use self::scoped_handle::ScopedHandle;
#[doc(alias = "all_tasks")]
pub use self::spawn::all;
#[doc(alias = "current_task")]
#[doc(alias = "getcurrent")]
pub use self::spawn::current;
#[doc(alias = "create_task")]
#[doc(alias = "ensure_future")]
#[doc(alias = "spawn_local")]
pub use self::spawn::spawn;
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
pub use self::spawn_blocking::spawn_blocking;
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
pub use self::yield_now::YieldNow;
#[doc(alias = "sleep")]
#[doc(alias = "checkpoint")]
pub use self::yield_now::yield_now;
pub use crate::current::{TaskId, WaitsFor};
#[doc(alias = "Greenlet")]
#[doc(alias = "Task")]
pub use crate::executor::JoinHandle;
pub use crate::executor::{AbortHandle, JoinError, TaskInfo, TaskState};
