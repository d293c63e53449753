//! The handles that await and abort a task.
//!
//! Invariant: a handle holds the allocation of its task. It never names the task by its slot, since
//! slots are reused.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::join_error::JoinError;
use super::local_queue;
use super::runnable::Runnable;
use super::task_cell::{Output, abort};
use crate::current::TaskId;

/// Awaits the output of a spawned task.
///
/// Awaiting the handle returns `Ok(output)`, or a [`JoinError`] if the task was aborted or
/// panicked. Dropping the handle *detaches* the task: the task continues, and its output is
/// dropped. The panic of a detached task goes to the loop's
/// [`on_task_error`](crate::runtime::Builder::on_task_error). This is asyncio's `Task` and gevent's
/// `Greenlet`; but unlike in asyncio, a task without a handle is never garbage-collected.
///
/// # Cancel safety
///
/// Awaiting `&mut handle` is cancel safe: the output stays until it is taken.
///
/// # Panics
///
/// If it is polled again after it returned the output.
///
/// ```
/// evloop::block_on(async {
///     let task = evloop::spawn(async { 6 * 7 });
///     assert_eq!(task.await.unwrap(), 42);
/// });
/// ```
#[must_use = "dropping a JoinHandle detaches its task: await it, or `drop` it to say so"]
#[doc(alias = "Task")]
pub struct JoinHandle<T> {
    task: Rc<dyn Output<T>>,
}

/// Aborts a task, but cannot await it; see [`JoinHandle::abort_handle`].
#[derive(Clone)]
pub struct AbortHandle {
    task: Rc<dyn Runnable>,
}

impl<T> JoinHandle<T> {
    pub(crate) fn new(task: Rc<dyn Output<T>>) -> JoinHandle<T> {
        JoinHandle { task }
    }

    /// Returns the id of the task.
    pub fn id(&self) -> TaskId {
        self.task.header().id
    }

    /// Returns whether the task has ended: its output, or an error, can be taken.
    #[doc(alias = "done")]
    #[doc(alias = "ready")]
    pub fn is_finished(&self) -> bool {
        self.task.header().is_finished()
    }

    /// Requests that the task is dropped.
    ///
    /// The future of the task is dropped at the task's next turn, never inside this call. A task
    /// may abort itself: its poll continues to the next await; if that poll completes the task, the
    /// handle returns the output. Aborting a task that has ended does nothing.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let task = evloop::spawn(std::future::pending::<()>());
    ///     task.abort();
    ///     assert!(task.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn abort(&self) {
        abort(self.task.header());
    }

    /// [Aborts](JoinHandle::abort) the task, and waits until its future is dropped.
    ///
    /// Returns the output if the task had completed before. The abort is requested by the call
    /// itself, not by the first poll.
    ///
    /// # Cancel safety
    ///
    /// The task stays aborted if the returned future is dropped.
    #[doc(alias = "kill")]
    pub fn cancel(self) -> impl Future<Output = Result<T, JoinError>> {
        self.abort();
        self
    }

    /// Takes the output, if the task has ended and the output was not taken before.
    pub(crate) fn take_finished(&self) -> Option<Result<T, JoinError>> {
        self.task.take()
    }

    /// Sets that dropping the handle aborts the task instead of detaching it.
    #[doc(alias = "AbortOnDropHandle")]
    pub fn abort_on_drop(self) -> JoinHandle<T> {
        self.task.header().abort_on_drop.set(true);
        self
    }

    /// Reverts [`abort_on_drop`](JoinHandle::abort_on_drop).
    pub(crate) fn detach_on_drop(self) -> JoinHandle<T> {
        self.task.header().abort_on_drop.set(false);
        self
    }
}

impl<T: 'static> JoinHandle<T> {
    /// Returns a handle that can abort the task from other code on this thread.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let task = evloop::spawn(std::future::pending::<()>());
    ///     task.abort_handle().abort();
    ///     assert!(task.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle { task: self.task.clone().as_runnable() }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.task.poll_output(cx)
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if let Some(panic) = self.task.detach() {
            local_queue::store_unhandled(self.task.header().in_loop(), panic);
        }
    }
}

impl AbortHandle {
    /// Requests that the task is dropped; the same as [`JoinHandle::abort`].
    pub fn abort(&self) {
        abort(self.task.header());
    }

    /// Returns the id of the task.
    pub fn id(&self) -> TaskId {
        self.task.header().id
    }

    /// Returns whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.task.header().is_finished()
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("JoinHandle");
        debug.field("id", &self.id()).field("is_finished", &self.is_finished()).finish()
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle").field("id", &self.id()).finish_non_exhaustive()
    }
}
