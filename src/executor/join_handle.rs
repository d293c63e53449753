//! The handles that await and abort a task.
//!
//! Invariant: a handle holds the allocation of its task. It never names the task by its slot, since
//! slots are reused.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::awaited::store_waiter;
use super::header::{Flag, Header, State};
use super::join_error::JoinError;
use super::local_queue::{abort, store_unhandled};
use super::task_cell::Output;
use super::task_memory::Task;
use super::task_output::{TaskOutput, drop_outcome, knows};
use crate::current::{self, TaskId, WaitsFor};

/// Awaits the output of a spawned task.
///
/// Awaiting the handle returns `Ok(output)`, or a [`JoinError`] if the task was aborted or
/// panicked. Dropping the handle *detaches* the task: the task continues, and its output is
/// dropped. The panic of a detached task, and an error that it returned, go to the loop's
/// [`on_task_error`](crate::runtime::Builder::on_task_error); see [`detach`](JoinHandle::detach)
/// for errors of all types. This is asyncio's `Task` and gevent's
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
#[must_use = "dropping a JoinHandle detaches its task: await it, or `detach` it to say so"]
#[doc(alias = "Task")]
pub struct JoinHandle<T> {
    task: Output<'static, T>,
}

/// Waits until an aborted task has ended; returned by [`JoinHandle::cancel`] and
/// [`ScopedHandle::cancel`](crate::task::ScopedHandle::cancel).
///
/// It returns what the handle returns. The task is aborted already, so this future need not be
/// awaited.
#[derive(Debug)]
pub struct Cancel<H>(pub(crate) H);

/// Aborts a task, but cannot await it; see [`JoinHandle::abort_handle`].
#[derive(Clone)]
pub struct AbortHandle {
    task: Task,
}

impl<T> JoinHandle<T> {
    pub(crate) fn new(task: Output<'static, T>) -> JoinHandle<T> {
        JoinHandle { task }
    }

    /// Returns the task as the run queue sees it.
    #[inline]
    pub(super) fn task(&self) -> &Task {
        self.task.task()
    }

    /// Returns the id of the task.
    pub fn id(&self) -> TaskId {
        self.task.header().id
    }

    /// Returns whether the task has ended: its output, or an error, can be taken.
    #[doc(alias = "done")]
    #[doc(alias = "ready")]
    #[doc(alias = "is_alive")]
    #[doc(alias = "dead")]
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
    /// itself, not by the first poll: without `await` the call does not wait.
    ///
    /// # Cancel safety
    ///
    /// The task stays aborted if the returned future is dropped.
    ///
    /// ```
    /// #![deny(unused_must_use)]
    ///
    /// evloop::block_on(async {
    ///     let [first, second] = [(); 2].map(|()| evloop::spawn(std::future::pending::<()>()));
    ///     first.cancel();
    ///     assert!(second.cancel().await.unwrap_err().is_cancelled());
    /// });
    /// ```
    #[doc(alias = "kill")]
    pub fn cancel(self) -> Cancel<JoinHandle<T>> {
        self.abort();
        Cancel(self)
    }

    pub(crate) fn header(&self) -> &Header {
        self.task.header()
    }

    /// Returns whether the output was taken.
    pub(crate) fn is_taken(&self) -> bool {
        self.task.header().state.get() == State::Taken
    }

    /// Takes the output, if the task has ended and the output was not taken before.
    pub(crate) fn take_finished(&self) -> Option<Result<T, JoinError>> {
        self.task.take()
    }

    /// Sets that dropping the handle aborts the task instead of detaching it.
    #[doc(alias = "AbortOnDropHandle")]
    pub fn abort_on_drop(self) -> JoinHandle<T> {
        self.header().set(Flag::AbortOnDrop, true);
        self
    }

    /// Reverts [`abort_on_drop`](JoinHandle::abort_on_drop). The handle's owner aborts the task
    /// itself, or never.
    pub(crate) fn detach_on_drop(self) -> JoinHandle<T> {
        self.header().set(Flag::AbortOnDrop, false);
        self
    }
}

impl<T: 'static> JoinHandle<T> {
    /// Lets the task run on without a handle, and sets that the loop's
    /// [`on_task_error`](crate::runtime::Builder::on_task_error) handler receives the error that it
    /// returns.
    ///
    /// Dropping the handle detaches the task, too. But the handler then sees an error only if its
    /// type is one of a list of common types; this method accepts any error that is `Display`, such
    /// as `anyhow::Error`. For an output of another type, `drop` the handle. Reverts
    /// [`abort_on_drop`](JoinHandle::abort_on_drop).
    ///
    /// ```
    /// use std::{cell::RefCell, fmt, rc::Rc};
    ///
    /// struct OutOfPaper;
    ///
    /// impl fmt::Display for OutOfPaper {
    ///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    ///         f.write_str("out of paper")
    ///     }
    /// }
    ///
    /// let errors = Rc::new(RefCell::new(Vec::new()));
    /// let seen = errors.clone();
    /// let mut runtime = evloop::Runtime::builder()
    ///     .on_task_error(move |error| seen.borrow_mut().push(error.to_string()))
    ///     .build()?;
    /// runtime.block_on(async {
    ///     evloop::spawn(async { Err::<(), _>(OutOfPaper) }).detach();
    ///     evloop::task::yield_now().await;
    /// });
    /// assert!(errors.borrow()[0].ends_with("failed: out of paper"));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn detach(self)
    where
        T: TaskOutput + 'static,
    {
        let handle = self.detach_on_drop();
        if !T::CAN_FAIL || knows::<T>() {
            return;
        }
        handle.at_end(JoinHandle::report_lost);
    }

    /// Calls `f` when the task has left its slot; at once if it has. `f` takes the output. The
    /// handle must not be awaited besides.
    pub(crate) fn at_end(self, f: impl FnOnce(JoinHandle<T>) + 'static) {
        if self.is_finished() {
            return f(self);
        }
        let task = self.task.task().clone();
        task.header().set_report(Box::new(|| f(self)));
    }

    /// Reports the panic of the task, or the error in its output, unless the output was taken.
    fn report_lost(self)
    where
        T: TaskOutput,
    {
        let header = self.task.header();
        let outcome = self.task.take();
        let lost = outcome.and_then(|outcome| drop_outcome(header, outcome, T::error));
        if let Some(error) = lost {
            store_unhandled(header.in_loop(), error);
        }
    }

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
        AbortHandle { task: self.task.task().clone() }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.task.poll_output(cx)
    }
}

impl<H: Future + Unpin> Future for Cancel<H> {
    type Output = H::Output;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<H::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let header = self.task.header();
        if header.has(Flag::AbortOnDrop) {
            abort(header);
        }
        if let Some(panic) = self.task.detach() {
            store_unhandled(header.in_loop(), panic);
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

    /// Completes when the task has ended. It takes the place of the handle that awaits the task:
    /// only one of the two is woken.
    #[track_caller]
    pub(crate) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        let header = self.task.header();
        if !header.is_finished() {
            store_waiter(header, cx.waker());
        }
        // Checked again: cloning the waker ran user code.
        if header.is_finished() { Poll::Ready(()) } else { current::pending(WaitsFor::Task) }
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
