//! L1: the one allocation of a task: its record, its future, later its output.
//!
//! The record comes first, so that handles and the executor read it without a call; the body behind
//! it is known to the executor as a [`Body`] and to the handle as an [`Output`].
//!
//! ```text
//!            poll             Pending
//!   Idle -----------> Busy -------------> Idle        abort: Idle -> Aborted,
//!   (future)       (future)                                  Busy -> BusyAborted
//!                     |  Ready; a panic and `recover`; BusyAborted and Pending;
//!                     v  Aborted and its turn: the future is dropped
//!                   Done ---- take, discard ----> Taken
//!                 (output)                       (empty)
//! ```
//!
//! Invariant: a body is touched only by who moved the state to `Busy`, until he moves it on from
//! there or from `BusyAborted`, or by who moves it from `Done` to `Taken`; neither step can be
//! taken twice.

use std::cell::UnsafeCell;
use std::future::Future;
use std::mem::{self, needs_drop};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::info::{Header, State};
use crate::join_error::{JoinError, Payload};

/// A task. `B` is its body: a [`Stage`], or what is known of one.
pub(crate) struct TaskCell<B: ?Sized> {
    pub(crate) header: Header,
    body: B,
}

/// A task as the executor sees it.
pub(crate) type Task = TaskCell<dyn Body>;

/// A task as its handle sees it.
pub(crate) type Joined<T> = TaskCell<dyn Output<T>>;

/// What a task consists of, one after the other.
pub(crate) struct Stage<F: Future>(UnsafeCell<Contents<F>>);

enum Contents<F: Future> {
    /// Pinned: it is polled and dropped here, and never moved.
    Future(F),
    Output(Result<F::Output, JoinError>),
    Empty,
}

/// The executor's face of a body. To be called by [`TaskCell`] alone, which keeps the states.
pub(crate) trait Body {
    /// Polls the future. Once it is ready the output is in its place. Needs `Busy`.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Drops the future, or an output, and puts an error in its place. Needs `Busy`.
    fn fail(&self, error: JoinError);

    /// Drops the output. Returns the panic that it was, or that its destructor raised. Needs the
    /// step from `Done` to `Taken`.
    fn discard(&self, header: &Header) -> Option<JoinError>;
}

/// The handle's face of a body. To be called by [`TaskCell`] alone, which keeps the states.
pub(crate) trait Output<T> {
    /// Takes the output. Needs the step from `Done` to `Taken`.
    fn take(&self) -> Option<Result<T, JoinError>>;
}

/// A new task, as the executor and as its handle know it.
pub(crate) fn task<F: Future + 'static>(
    header: Header,
    future: F,
) -> (Rc<Task>, Rc<Joined<F::Output>>) {
    let body = Stage(UnsafeCell::new(Contents::Future(future)));
    let task = Rc::new(TaskCell { header, body });
    (task.clone(), task)
}

impl Task {
    /// Polls the future, or drops it if the task was aborted. Returns whether the task has ended.
    /// A panic of the future goes through: then it is to be [recovered](Task::recover). Needs
    /// `Idle` or `Aborted`.
    #[inline]
    pub(crate) fn poll(&self, waker: &Waker) -> bool {
        let Header { state, polls, .. } = &self.header;
        if state.replace(State::Busy) == State::Aborted {
            return self.drop_aborted();
        }
        polls.set(polls.get().wrapping_add(1));
        if self.body.poll(&mut Context::from_waker(waker)).is_ready() {
            state.set(State::Done);
            return true;
        }
        if state.replace(State::Idle) == State::BusyAborted {
            state.set(State::Busy);
            return self.drop_aborted();
        }
        false
    }

    /// Drops the future of an aborted task. Needs `Busy`.
    #[cold]
    fn drop_aborted(&self) -> bool {
        self.body.fail(JoinError::cancelled(&self.header));
        self.header.state.set(State::Done);
        true
    }

    /// Ends the task whose poll, or whose future's destructor, has panicked.
    pub(crate) fn recover(&self, payload: Payload) {
        let error = JoinError::panicked(&self.header, payload);
        let second = catch_unwind(AssertUnwindSafe(|| self.body.fail(error)));
        self.header.state.set(State::Done);
        // A second panic, of a destructor, adds nothing to the first.
        drop(second);
    }

    /// Drops the output. Returns the panic that it was, or that its destructor raised.
    pub(crate) fn discard(&self) -> Option<JoinError> {
        if self.header.state.get() != State::Done {
            return None;
        }
        self.header.state.set(State::Taken);
        self.body.discard(&self.header)
    }
}

impl<T> Joined<T> {
    /// Takes the output, once it has come.
    pub(crate) fn take(&self) -> Option<Result<T, JoinError>> {
        if self.header.state.get() != State::Done {
            return None;
        }
        self.header.state.set(State::Taken);
        self.body.take()
    }
}

impl<F: Future> Stage<F> {
    #[allow(unsafe_code)]
    fn replace(&self, contents: Contents<F>) -> Contents<F> {
        // SAFETY: the states give the body to one caller at a time, and this runs nothing foreign.
        // It is called only when the future is gone, so nothing pinned is moved.
        unsafe { mem::replace(&mut *self.0.get(), contents) }
    }
}

impl<F: Future> Body for Stage<F> {
    #[allow(unsafe_code)]
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the state is Busy, so nobody else touches the body.
        let contents = unsafe { &mut *self.0.get() };
        let Contents::Future(future) = contents else { return Poll::Ready(()) };
        // SAFETY: the cell stays in its Rc until it is freed, and the future is never moved: it is
        // only overwritten, which drops it where it is.
        let future = unsafe { Pin::new_unchecked(future) };
        let Poll::Ready(output) = future.poll(cx) else { return Poll::Pending };
        *contents = Contents::Output(Ok(output));
        Poll::Ready(())
    }

    #[allow(unsafe_code)]
    fn fail(&self, error: JoinError) {
        // SAFETY: the state is Busy, so nobody else touches the body. What is there is dropped in
        // its place; if that panics, the error is put there all the same.
        unsafe { *self.0.get() = Contents::Output(Err(error)) }
    }

    fn discard(&self, header: &Header) -> Option<JoinError> {
        match self.replace(Contents::Empty) {
            Contents::Output(Ok(output)) if needs_drop::<F::Output>() => {
                let dropped = catch_unwind(AssertUnwindSafe(|| drop(output)));
                dropped.err().map(|payload| JoinError::panicked(header, payload))
            }
            Contents::Output(Err(error)) if error.is_panic() => Some(error),
            _ => None,
        }
    }
}

impl<F: Future> Output<F::Output> for Stage<F> {
    fn take(&self) -> Option<Result<F::Output, JoinError>> {
        match self.replace(Contents::Empty) {
            Contents::Output(output) => Some(output),
            Contents::Future(_) | Contents::Empty => None,
        }
    }
}
