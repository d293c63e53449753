//! L1: the handles by which a task is awaited and ended.
//!
//! A task is one allocation with two faces: [`Task`] is what the executor sees, whatever the
//! future; [`Join`] is what a [`JoinHandle`] sees, whatever the future, but with the output's type.
//! Invariant: handles never name a task by its slot, which is used again, but hold its allocation.

use std::any::Any;
use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use crate::budget;
use crate::current;
use crate::info::{Header, TaskId};

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

/// The executor's face of a task.
pub(crate) trait Task {
    fn header(&self) -> &Header;

    /// Polls the future, or drops it if the task was aborted.
    fn poll(&self, waker: &Waker) -> Progress;

    /// Drops the future, as if the task had been aborted.
    fn cancel(&self) -> Progress;

    /// Notes that the future is to be dropped at the task's next turn. Returns whether there is
    /// one to come.
    fn mark_aborted(&self) -> bool;

    /// Whether the output, or an error in its place, has come.
    fn is_finished(&self) -> bool;
}

/// The handle's face of a task whose output is a `T`.
pub(crate) trait Join<T>: Task {
    /// Takes the output, once it has come.
    fn take_output(&self) -> Option<Result<T, JoinError>>;

    /// Where the waker of whoever awaits the task is kept.
    fn waiter(&self) -> &Cell<Option<Waker>>;

    /// Nobody will ask for the output.
    fn detach(&self);

    fn into_task(self: Rc<Self>) -> Rc<dyn Task>;
}

/// How far a task came.
pub(crate) enum Progress {
    /// It waits to be woken.
    Pending,
    /// It ended. The executor forgets it, then wakes who awaits it, if somebody does.
    Finished(Option<Waker>),
    /// It ended by a panic, and nobody will ask.
    Lost(JoinError),
}

/// A spawned task, to be awaited for its output.
///
/// Awaiting gives `Ok(output)`, or a [`JoinError`] if the task was aborted or panicked. Dropping
/// the handle *detaches* the task: it goes on, and its output is dropped. This is asyncio's `Task`
/// and gevent's `Greenlet`, except that a task never dies because nobody holds it.
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
    task: Rc<dyn Join<T>>,
    abort_on_drop: bool,
}

/// Ends a task without being able to await it; see [`JoinHandle::abort_handle`].
#[derive(Clone)]
pub struct AbortHandle {
    task: Rc<dyn Task>,
}

/// Why a task has no output: it was cancelled, or it panicked.
pub struct JoinError {
    id: TaskId,
    spawned_at: &'static Location<'static>,
    /// `None`: cancelled. In a mutex because a payload is not `Sync`, and errors should be.
    panic: Option<Mutex<Payload>>,
}

impl<T> JoinHandle<T> {
    pub(crate) fn new(task: Rc<dyn Join<T>>) -> JoinHandle<T> {
        JoinHandle { task, abort_on_drop: false }
    }

    /// The task's id.
    pub fn id(&self) -> TaskId {
        self.task.header().id
    }

    /// Whether the output, or an error in its place, is there.
    #[doc(alias = "done")]
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
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
        abort(self.task.as_ref());
    }

    /// Aborts the task and waits until its future was dropped. Gives the output if it had finished
    /// before.
    ///
    /// # Cancel safety
    ///
    /// The task stays aborted if this is dropped.
    #[doc(alias = "kill")]
    pub async fn cancel(self) -> Result<T, JoinError> {
        self.abort();
        self.await
    }

    /// Makes dropping the handle abort the task, instead of detaching it.
    pub fn abort_on_drop(mut self) -> JoinHandle<T> {
        self.abort_on_drop = true;
        self
    }
}

impl<T: 'static> JoinHandle<T> {
    /// A handle that can abort the task from elsewhere on this thread.
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle { task: self.task.clone().into_task() }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.task.is_finished() {
            ready!(budget::poll_left(cx));
            budget::spend();
            let output = self.task.take_output();
            return Poll::Ready(output.expect("a JoinHandle was polled after it gave its output"));
        }
        let waiter = self.task.waiter();
        let old = waiter.take();
        if old.as_ref().is_some_and(|old| old.will_wake(cx.waker())) {
            waiter.set(old);
        } else {
            waiter.set(Some(cx.waker().clone()));
        }
        Poll::Pending
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if self.abort_on_drop {
            self.abort();
        }
        self.task.detach();
    }
}

impl AbortHandle {
    /// The same as [`JoinHandle::abort`].
    pub fn abort(&self) {
        abort(self.task.as_ref());
    }

    /// The task's id.
    pub fn id(&self) -> TaskId {
        self.task.header().id
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

fn abort(task: &(impl Task + ?Sized)) {
    if task.mark_aborted() {
        current::wake(task.header().waker_id);
    }
}

impl JoinError {
    pub(crate) fn cancelled(header: &Header) -> JoinError {
        JoinError::cancelled_at(header.id, header.spawned_at)
    }

    pub(crate) fn cancelled_at(id: TaskId, spawned_at: &'static Location<'static>) -> JoinError {
        JoinError { id, spawned_at, panic: None }
    }

    pub(crate) fn panicked(header: &Header, payload: Payload) -> JoinError {
        let panic = Some(Mutex::new(payload));
        JoinError { id: header.id, spawned_at: header.spawned_at, panic }
    }

    /// Whether the task was aborted, or its loop ended before it did.
    pub fn is_cancelled(&self) -> bool {
        self.panic.is_none()
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        self.panic.is_some()
    }

    /// What the panic carried, for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    ///
    /// If the task was cancelled instead; see [`is_panic`](JoinError::is_panic).
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        let id = self.id;
        self.try_into_panic()
            .unwrap_or_else(|_| panic!("task {id} was cancelled: ask is_panic before into_panic"))
    }

    /// What the panic carried, or the error back if the task was cancelled.
    pub fn try_into_panic(mut self) -> Result<Box<dyn Any + Send + 'static>, JoinError> {
        match self.panic.take() {
            Some(payload) => Ok(payload.into_inner().unwrap_or_else(PoisonError::into_inner)),
            None => Err(self),
        }
    }

    /// The task's id.
    pub fn task_id(&self) -> TaskId {
        self.id
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} (spawned at {}) ", self.id, self.spawned_at)?;
        let Some(payload) = &self.panic else { return f.write_str("was cancelled") };
        let payload = payload.lock().unwrap_or_else(PoisonError::into_inner);
        let message = payload.downcast_ref::<&'static str>().copied();
        match message.or_else(|| payload.downcast_ref::<String>().map(String::as_str)) {
            Some(message) => write!(f, "panicked: {message}"),
            None => f.write_str("panicked with a payload that is not text"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> io::Error {
        io::Error::other(error)
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
