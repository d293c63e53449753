//! Spawning a task, and the tasks of the running loop.

use std::fmt::Display;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::ready;
use std::time::Duration;

use crate::context;
use crate::executor::{JoinHandle, SpawnOptions, TaskInfo};
use crate::poll_with::poll_with;
use crate::time::sleep;

/// Spawns a task on the running loop. The loop polls it later, never inside this call.
///
/// The task runs to its end even if the [`JoinHandle`] is dropped. See
/// [`Builder`](super::Builder) for a task with a name, and for one that is polled at once.
///
/// The future must be `'static`: the task may outlive the caller. If the compiler says that a
/// borrowed value does not live long enough, move the value into the task (`async move`), share it
/// by an [`Rc`](std::rc::Rc), or spawn the task in a [`scope`](super::scope()), whose tasks borrow.
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

/// Spawns a task that begins after `delay`, counted from this call: gevent's `spawn_later`.
///
/// Aborting the task before then drops the future, which was never polled. For a function, see
/// [`call_later`](crate::call_later).
///
/// # Panics
///
/// Panics outside of a running loop.
///
/// ```
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     let begin = evloop::time::now();
///     let task = evloop::task::spawn_later(Duration::from_millis(2), async { 7 });
///     assert_eq!(task.await.unwrap(), 7);
///     assert!(begin.elapsed() >= Duration::from_millis(2));
/// });
/// ```
#[track_caller]
pub fn spawn_later<F: Future + 'static>(delay: Duration, future: F) -> JoinHandle<F::Output> {
    let context = context::expect("task::spawn_later");
    let mut delay = Some(sleep(delay));
    let task = poll_with(future, move |future, cx| {
        if let Some(sleep) = &mut delay {
            ready!(Pin::new(sleep).poll(cx));
            delay = None;
        }
        future.poll(cx)
    });
    context.executor.spawn(task, SpawnOptions::here())
}

/// Reports an error of the running task to the loop's
/// [`on_task_error`](crate::runtime::Builder::on_task_error) handler, and lets the task continue:
/// asyncio's `call_exception_handler`, gevent's `handle_error`.
///
/// The handler is called when the running tasks have had their turns, as for an error that a
/// detached task returned. Outside of a task, as in a callback between two turns, the report names
/// the line of this call.
///
/// # Panics
///
/// Panics outside of a running loop.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
///
/// use evloop::task;
///
/// let errors = Rc::new(RefCell::new(Vec::new()));
/// let seen = errors.clone();
/// let mut runtime = evloop::Runtime::builder()
///     .on_task_error(move |error| seen.borrow_mut().push(error.to_string()))
///     .build()?;
/// runtime.block_on(async { task::report_error("disk almost full") });
/// assert!(errors.borrow()[0].ends_with("failed: disk almost full"));
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn report_error(error: impl Display) {
    let place = Location::caller();
    context::expect("task::report_error").executor.report_error(place, error.to_string());
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
/// empty vector outside of a loop. [`iter`](super::iter()) returns them one by one.
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
