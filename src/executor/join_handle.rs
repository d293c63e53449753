//! The handles by which a task is awaited and ended.
//!
//! Invariant: a handle never names a task by its slot, which is used again, but holds its
//! allocation.

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

/// A spawned task, to be awaited for its output.
///
/// Awaiting gives `Ok(output)`, or a [`JoinError`] if the task was aborted or panicked. Dropping
/// the handle *detaches* the task: it goes on, and its output is dropped; a panic that nobody
/// awaited goes to the loop's [`on_task_error`](crate::runtime::Builder::on_task_error). This is
/// asyncio's `Task` and gevent's `Greenlet`, except that a task never dies because nobody holds it.
///
/// # Cancel safety
///
/// Awaiting `&mut handle` may be given up at any time; the output stays until it is taken.
///
/// # Panics
///
/// Polling it again after it gave the output panics.
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

/// Ends a task without being able to await it; see [`JoinHandle::abort_handle`].
#[derive(Clone)]
pub struct AbortHandle {
    task: Rc<dyn Runnable>,
}

impl<T> JoinHandle<T> {
    pub(crate) fn new(task: Rc<dyn Output<T>>) -> JoinHandle<T> {
        JoinHandle { task }
    }

    /// The task's id.
    pub fn id(&self) -> TaskId {
        self.task.header().id
    }

    /// Whether the output, or an error in its place, is there.
    #[doc(alias = "done")]
    pub fn is_finished(&self) -> bool {
        self.task.header().is_finished()
    }

    /// Asks for the task's end: its future is dropped at the task's next turn, never inside of this
    /// call. A task may abort itself: its poll goes on to the next await, and if that poll
    /// completes the task, the output wins. Aborting a finished task does nothing.
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

    /// [Aborts](JoinHandle::abort) the task; the future that is returned completes when the task's
    /// own was dropped. Gives the output if it had finished before.
    ///
    /// # Cancel safety
    ///
    /// The task stays aborted if this is dropped.
    #[doc(alias = "kill")]
    pub fn cancel(self) -> impl Future<Output = Result<T, JoinError>> {
        self.abort();
        self
    }

    /// The output, if it has come and was not taken.
    pub(crate) fn take_finished(&self) -> Option<Result<T, JoinError>> {
        self.task.take()
    }

    /// Makes dropping the handle abort the task, instead of detaching it.
    pub fn abort_on_drop(self) -> JoinHandle<T> {
        self.task.header().abort_on_drop.set(true);
        self
    }

    /// Undoes [`abort_on_drop`](JoinHandle::abort_on_drop).
    pub(crate) fn detach_on_drop(self) -> JoinHandle<T> {
        self.task.header().abort_on_drop.set(false);
        self
    }
}

impl<T: 'static> JoinHandle<T> {
    /// A handle that can abort the task from elsewhere on this thread.
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
            local_queue::lose(panic);
        }
    }
}

impl AbortHandle {
    /// The same as [`JoinHandle::abort`].
    pub fn abort(&self) {
        abort(self.task.header());
    }

    /// The task's id.
    pub fn id(&self) -> TaskId {
        self.task.header().id
    }

    /// Whether the task has ended.
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
