//! Spawning a task, and the tasks of the running loop.

use std::future::Future;

use crate::context;
use crate::executor::{JoinHandle, SpawnOptions, TaskInfo};

/// Spawns a task on the running loop. The loop polls it later, never inside this call.
///
/// The task runs to its end even if the [`JoinHandle`] is dropped. See
/// [`Builder`](super::Builder) for a task with a name, and for one that is polled at once.
///
/// # Panics
///
/// Panics outside of a running loop.
///
/// ```
/// evloop::block_on(async {
///     let answer = std::rc::Rc::new(42);
///     let task = evloop::spawn(async move { *answer });
///     assert_eq!(task.await.unwrap(), 42);
/// });
/// ```
#[track_caller]
pub fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output> {
    context::expect("spawn").executor.spawn(future, SpawnOptions::here())
}

/// Returns the running task; the future of `block_on` is one. Returns `None` outside of a task.
///
/// ```
/// assert!(evloop::task::current().is_none());
/// evloop::block_on(async {
///     let info = evloop::task::current().unwrap();
///     assert_eq!(info.state(), evloop::task::TaskState::Running);
/// });
/// ```
pub fn current() -> Option<TaskInfo> {
    context::current()?.executor.running()
}

/// Returns all tasks of the running loop, in the order in which they were spawned. Returns an
/// empty vector outside of a loop.
///
/// ```
/// evloop::block_on(async {
///     let _idle = evloop::spawn(std::future::pending::<()>());
///     assert_eq!(evloop::task::all().len(), 2);
/// });
/// ```
pub fn all() -> Vec<TaskInfo> {
    context::current().map(|context| context.executor.all()).unwrap_or_default()
}
