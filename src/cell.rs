//! L1: the one allocation of a task: its record, its future, later its output.
//!
//! ```text
//!              poll, cancel                Pending
//!   Idle ---------------------> Busy --------------------> Idle
//!   (future)                 (future)
//!                               |  Ready, panic, aborted: the future is dropped, then
//!                               v
//!                             Done ----- take_output, detach -----> Taken
//!                           (output)                               (empty)
//! ```
//!
//! Invariant: the stage is touched only by who moved the state to `Busy`, until he moves it on, or
//! by who moves it from `Done` to `Taken`, in one step that runs no foreign code.

use std::cell::{Cell, UnsafeCell};
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::info::Header;
use crate::join::{Join, JoinError, Payload, Progress, Task};

/// A task, whatever its future.
pub(crate) struct TaskCell<F: Future> {
    header: Header,
    state: Cell<State>,
    /// `abort` was called.
    aborted: Cell<bool>,
    /// No handle is left.
    detached: Cell<bool>,
    /// Who awaits the output. Written by the handle, taken once the output is there.
    waiter: Cell<Option<Waker>>,
    stage: UnsafeCell<Stage<F>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Busy,
    Done,
    Taken,
}

enum Stage<F: Future> {
    /// Pinned: it is polled and dropped here, and never moved.
    Future(F),
    Output(Result<F::Output, JoinError>),
    Empty,
}

impl<F: Future> TaskCell<F> {
    pub(crate) fn new(header: Header, future: F) -> TaskCell<F> {
        TaskCell {
            header,
            state: Cell::new(State::Idle),
            aborted: Cell::new(false),
            detached: Cell::new(false),
            waiter: Cell::new(None),
            stage: UnsafeCell::new(Stage::Future(future)),
        }
    }

    /// Polls the future; once it is ready, drops it and returns the output. Needs `Busy`.
    #[allow(unsafe_code)]
    fn poll_future(&self, waker: &Waker) -> Poll<Result<F::Output, JoinError>> {
        debug_assert!(self.state.get() == State::Busy);
        let mut output = None;
        let polled = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: the state is Busy, so nobody else touches the stage.
            let stage = unsafe { &mut *self.stage.get() };
            let Stage::Future(future) = stage else { return };
            // SAFETY: the cell lives in an Rc until it is freed, and the future in the stage is
            // never moved: it is only overwritten, which drops it where it is.
            let future = unsafe { Pin::new_unchecked(future) };
            if let Poll::Ready(value) = future.poll(&mut Context::from_waker(waker)) {
                output = Some(value);
                *stage = Stage::Empty;
            }
        }));
        match (polled, output) {
            (Ok(()), Some(value)) => Poll::Ready(Ok(value)),
            (Ok(()), None) => Poll::Pending,
            (Err(payload), late) => {
                discard(late);
                self.drop_future();
                Poll::Ready(Err(JoinError::panicked(&self.header, payload)))
            }
        }
    }

    /// Drops the future, if it is still there. Needs `Busy`. Returns its destructor's panic.
    #[allow(unsafe_code)]
    fn drop_future(&self) -> Option<Payload> {
        debug_assert!(self.state.get() == State::Busy);
        // SAFETY: the state is Busy, so nobody else touches the stage; the future is dropped in its
        // place. A destructor that panics leaves Empty behind, as every assignment does.
        catch_unwind(AssertUnwindSafe(|| unsafe { *self.stage.get() = Stage::Empty })).err()
    }

    /// Drops an aborted task's future. Needs `Busy`.
    fn drop_aborted(&self) -> JoinError {
        match self.drop_future() {
            Some(payload) => JoinError::panicked(&self.header, payload),
            None => JoinError::cancelled(&self.header),
        }
    }

    /// The end of a task whose future is dropped. Needs `Busy`.
    #[allow(unsafe_code)]
    fn finish(&self, output: Result<F::Output, JoinError>) -> Progress {
        debug_assert!(self.state.get() == State::Busy);
        if !self.detached.get() {
            // SAFETY: the state is Busy, so nobody else touches the stage. It is Empty: assigning
            // drops nothing.
            unsafe { *self.stage.get() = Stage::Output(output) };
            self.state.set(State::Done);
            return Progress::Finished(self.waiter.take());
        }
        self.state.set(State::Taken);
        let lost = match output {
            Ok(value) => discard(value).map(|payload| JoinError::panicked(&self.header, payload)),
            Err(error) => error.is_panic().then_some(error),
        };
        lost.map_or(Progress::Finished(None), Progress::Lost)
    }
}

impl<F: Future> Task for TaskCell<F> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn poll(&self, waker: &Waker) -> Progress {
        if self.state.get() != State::Idle {
            // It was still queued when it ended.
            return Progress::Finished(None);
        }
        if self.aborted.get() {
            return self.cancel();
        }
        self.state.set(State::Busy);
        self.header.polls.set(self.header.polls.get().wrapping_add(1));
        match self.poll_future(waker) {
            Poll::Ready(output) => self.finish(output),
            Poll::Pending if self.aborted.get() => self.finish(Err(self.drop_aborted())),
            Poll::Pending => {
                self.state.set(State::Idle);
                Progress::Pending
            }
        }
    }

    fn cancel(&self) -> Progress {
        if self.state.get() != State::Idle {
            return Progress::Finished(None);
        }
        self.state.set(State::Busy);
        self.finish(Err(self.drop_aborted()))
    }

    fn mark_aborted(&self) -> bool {
        self.aborted.set(true);
        self.state.get() == State::Idle
    }

    fn is_finished(&self) -> bool {
        matches!(self.state.get(), State::Done | State::Taken)
    }
}

impl<F: Future + 'static> Join<F::Output> for TaskCell<F> {
    #[allow(unsafe_code)]
    fn take_output(&self) -> Option<Result<F::Output, JoinError>> {
        if self.state.get() != State::Done {
            return None;
        }
        self.state.set(State::Taken);
        // SAFETY: the state went from Done to Taken, so this is the only access, and it moves the
        // output out without running anything.
        match mem::replace(unsafe { &mut *self.stage.get() }, Stage::Empty) {
            Stage::Output(output) => Some(output),
            Stage::Future(_) | Stage::Empty => None,
        }
    }

    fn waiter(&self) -> &Cell<Option<Waker>> {
        &self.waiter
    }

    fn detach(&self) {
        self.detached.set(true);
        drop(self.waiter.take());
        drop(self.take_output());
    }

    fn into_task(self: Rc<Self>) -> Rc<dyn Task> {
        self
    }
}

/// Drops a value of the user's. Returns its destructor's panic.
fn discard<T>(value: T) -> Option<Payload> {
    catch_unwind(AssertUnwindSafe(|| drop(value))).err()
}
