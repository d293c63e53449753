//! L4: tasks as their user meets them: spawning, yielding, looking around.
//!
//! A task is a future that the loop runs by itself, next to all others, on the loop's one thread.
//! So it need not be `Send`, and between two awaits it has the thread to itself.

mod builder;
mod children;
mod completion;
mod gather;
mod join_set;
mod local;
mod reentrant_mutex;
mod scope;
mod scoped_handle;
mod spawn_blocking;
mod try_scope;
mod yield_now;

use std::future::Future;

pub use self::builder::Builder;
pub use self::completion::shield;
pub use self::gather::{gather, try_gather};
pub use self::join_set::{JoinSet, ReturnWhen, wait};
pub use self::local::{LocalKey, LocalValue, OutOfScope};
pub use self::reentrant_mutex::{ReentrantMutex, ReentrantMutexGuard};
pub use self::scope::{Scope, scope};
pub use self::scoped_handle::ScopedHandle;
pub use self::spawn_blocking::{BlockingHandle, spawn_blocking};
pub use self::try_scope::{GroupError, TryScope, try_scope};
pub use self::yield_now::{YieldNow, yield_now};
use crate::context;
pub use crate::current::{TaskId, WaitsFor};
use crate::executor::SpawnOptions;
pub use crate::executor::{AbortHandle, JoinError, JoinHandle, TaskInfo, TaskState};

/// Spawns a task on the running loop. It runs in its turn, not inside of this call.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// evloop::block_on(async {
///     let answer = std::rc::Rc::new(42);
///     let task = evloop::spawn(async move { *answer });
///     assert_eq!(task.await.unwrap(), 42);
/// });
/// ```
#[doc(alias = "create_task")]
#[doc(alias = "ensure_future")]
#[track_caller]
pub fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output> {
    context::expect("spawn").executor.spawn(future, SpawnOptions::here())
}

/// The task that is running; the future of `block_on` is one. `None` outside of a task.
///
/// ```
/// assert!(evloop::task::current().is_none());
/// evloop::block_on(async {
///     let info = evloop::task::current().unwrap();
///     assert_eq!(info.state(), evloop::task::TaskState::Running);
/// });
/// ```
#[doc(alias = "current_task")]
pub fn current() -> Option<TaskInfo> {
    context::current()?.executor.running()
}

/// All tasks of the running loop in the order in which they were spawned. Empty outside of a loop.
///
/// ```
/// evloop::block_on(async {
///     let _idle = evloop::spawn(std::future::pending::<()>());
///     assert_eq!(evloop::task::all().len(), 2);
/// });
/// ```
#[doc(alias = "all_tasks")]
pub fn all() -> Vec<TaskInfo> {
    context::current().map(|context| context.executor.all()).unwrap_or_default()
}
