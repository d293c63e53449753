//! The one allocation of a task: its record, its future, later its output.
//!
//! The executor sees it as a [`Runnable`], its handle as an [`Output`]. Each method of these traits
//! is a whole step of the task, so that the compiler can inline all code that knows the future's
//! type into one function.
//!
//! ```text
//!            poll             Pending
//!   Idle -----------> Busy -------------> Idle        abort: Idle -> Aborted,
//!   (future)       (future)                                  Busy -> BusyAborted
//!                     |  Ready; BusyAborted and Pending; Aborted and its turn:
//!                     |  the future is dropped; a panic: Unwound, and `recover`
//!                     v
//!                   Done ---- take, discard ----> Taken
//!                 (output)                       (empty)
//! ```
//!
//! Invariant: the contents are accessed only by the call that moved the state from `Idle`,
//! `Aborted` or `Unwound` to `Busy`, until that call leaves `Busy` or `BusyAborted`; or by the call
//! that moves the state from `Done` to `Taken`. No step can be taken twice.

use std::cell::UnsafeCell;
use std::future::Future;
use std::mem::{self, ManuallyDrop, needs_drop};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::header::{Header, State};
use super::join_error::JoinError;
use super::local_queue::abort;
use super::runnable::{RunOutcome, Runnable};
use super::task_end::TaskEnd;
use super::task_output::{Record, drop_output, only_panic};
use super::waker::waker;
use crate::caught::{Caught, catch};
use crate::current::{self, WaitsFor, budget};
use crate::wait::store_waker;

/// A task. `H` is its record, or leads to it.
pub(crate) struct TaskCell<F: Future, H = Header> {
    header: H,
    contents: UnsafeCell<Contents<F>>,
}

enum Contents<F: Future> {
    /// Pinned: the future is polled and dropped in place, and never moved.
    Future(F),
    Output(Result<F::Output, JoinError>),
    Empty,
}

/// Its drop, during a panic, marks the task as `Unwound`: the call that made it `Busy` has ended.
struct Unwound<'a>(&'a Header);

/// A task, as its handle sees it.
pub(crate) trait Output<T> {
    fn header(&self) -> &Header;

    /// Returns the task as the executor sees it.
    fn as_runnable(self: Rc<Self>) -> Rc<dyn Runnable>
    where
        Self: 'static;

    /// Takes the output of a task that has ended. Stores the waker until then.
    ///
    /// # Panics
    ///
    /// If the output was taken before.
    fn poll_output(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>>;

    /// Takes the output, if the task has ended and the output was not taken before.
    fn take(&self) -> Option<Result<T, JoinError>>;

    /// Detaches the task: its output is dropped at its end. If the task has ended already, returns
    /// its panic, or the panic of the output's destructor.
    fn detach(&self) -> Option<JoinError>;
}

impl<F: Future, H: Record<F::Output>> TaskCell<F, H> {
    pub(crate) fn new(header: H, future: F) -> Rc<TaskCell<F, H>> {
        Rc::new(TaskCell { header, contents: UnsafeCell::new(Contents::Future(future)) })
    }

    /// Polls the future. If it is ready, the output replaces it. Needs `Busy`.
    #[allow(unsafe_code)]
    #[inline]
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the state is Busy, so no other call accesses the contents.
        let contents = unsafe { &mut *self.contents.get() };
        let Contents::Future(future) = contents else { return Poll::Ready(()) };
        // SAFETY: the cell stays in its Rc until it is freed, and the future is never moved: it is
        // only overwritten, which drops it where it is.
        let future = unsafe { Pin::new_unchecked(future) };
        let Poll::Ready(output) = future.poll(cx) else { return Poll::Pending };
        *contents = Contents::Output(Ok(output));
        Poll::Ready(())
    }

    /// Drops the future, or an output, and stores an error instead. Needs `Busy`.
    #[allow(unsafe_code)]
    fn fail(&self, error: JoinError) {
        // SAFETY: the state is Busy, so no other call accesses the contents. The assignment drops
        // the old contents in place, and stores the error even if that drop panics.
        unsafe { *self.contents.get() = Contents::Output(Err(error)) }
    }

    /// Runs a turn without a poll: drops the future of an aborted task. Does nothing if the task is
    /// busy or has ended.
    #[cold]
    fn run_unpolled(&self) -> RunOutcome {
        let header = self.header.header();
        if header.state.get() != State::Aborted {
            return RunOutcome::Pending;
        }
        header.state.set(State::Busy);
        let unwound = Unwound(header);
        header.end.set(TaskEnd::Cancelled);
        self.fail(JoinError::cancelled(header));
        mem::forget(unwound);
        header.state.set(State::Done);
        RunOutcome::Aborted
    }

    /// Takes the output, if the task has ended and the output was not taken before.
    #[allow(unsafe_code)]
    fn take_output(&self) -> Option<Result<F::Output, JoinError>> {
        let header = self.header.header();
        if header.state.get() != State::Done {
            return None;
        }
        header.state.set(State::Taken);
        // SAFETY: this is the step from Done to Taken, so no other call accesses the contents. The
        // future was dropped, so nothing pinned is moved.
        match unsafe { mem::replace(&mut *self.contents.get(), Contents::Empty) } {
            Contents::Output(output) => Some(output),
            Contents::Future(_) | Contents::Empty => None,
        }
    }
}

/// Panics: the handle of the task was polled after it returned the output. The caller is not known:
/// it is behind a vtable, and mostly behind an `await` of `&mut handle`, too.
#[cold]
fn polled_again(task: &Header) -> ! {
    panic!("the handle of {task} was polled after it returned the output: await it once")
}

impl Drop for Unwound<'_> {
    fn drop(&mut self) {
        self.0.state.set(State::Unwound);
    }
}

impl<F: Future, H: Record<F::Output>> Runnable for TaskCell<F, H> {
    fn header(&self) -> &Header {
        self.header.header()
    }

    fn run(&self) -> RunOutcome {
        let header = self.header.header();
        // Before any code of the task runs, also before the destructor of an aborted one.
        current::begin_task(header.id);
        if header.state.get() != State::Idle {
            return self.run_unpolled();
        }
        header.state.set(State::Busy);
        let unwound = Unwound(header);
        header.polls.set(header.polls.get().wrapping_add(1));
        // Dropping our waker does nothing: this saves the call through its vtable.
        let waker = ManuallyDrop::new(waker(header.waker_id.get()));
        let polled = self.poll(&mut Context::from_waker(&waker));
        // The poll did not panic.
        mem::forget(unwound);
        if polled.is_ready() {
            header.state.set(State::Done);
            return RunOutcome::Ready;
        }
        header.waits_for.set(current::waits_for());
        if header.state.replace(State::Idle) == State::BusyAborted {
            header.state.set(State::Aborted);
            return self.run_unpolled();
        }
        RunOutcome::Pending
    }

    fn recover(&self, panic: Caught) -> Result<(), Caught> {
        let header = self.header.header();
        if header.state.get() != State::Unwound {
            return Err(panic);
        }
        header.state.set(State::Busy);
        header.end.set(TaskEnd::Panicked);
        let error = JoinError::panicked(header, panic);
        // The future's destructor may panic too: the first panic is reported.
        let _ = catch(|| self.fail(error));
        header.state.set(State::Done);
        Ok(())
    }

    fn discard(&self) -> Option<JoinError> {
        match self.take_output()? {
            Ok(output) if H::knows_errors() || needs_drop::<F::Output>() => {
                drop_output(self.header.header(), output, H::error_in)
            }
            Ok(_) => None,
            Err(error) => only_panic(error),
        }
    }
}

impl<F: Future, H: Record<F::Output>> Output<F::Output> for TaskCell<F, H> {
    fn header(&self) -> &Header {
        self.header.header()
    }

    fn as_runnable(self: Rc<Self>) -> Rc<dyn Runnable>
    where
        Self: 'static,
    {
        self
    }

    fn poll_output(&self, cx: &mut Context<'_>) -> Poll<Result<F::Output, JoinError>> {
        let header = self.header.header();
        if header.is_finished() {
            ready!(budget::poll_unit(cx));
            let Some(output) = self.take_output() else { polled_again(header) };
            return Poll::Ready(output);
        }
        store_waker(&header.waiter, cx.waker());
        if header.is_finished() {
            // The task ended while `keep` cloned the waker, which is user code: no later event
            // would wake the waiter.
            cx.waker().wake_by_ref();
        }
        current::pending(WaitsFor::Task)
    }

    fn take(&self) -> Option<Result<F::Output, JoinError>> {
        self.take_output()
    }

    #[inline]
    fn detach(&self) -> Option<JoinError> {
        let header = self.header.header();
        if header.state.get() == State::Taken {
            return None;
        }
        if header.abort_on_drop.get() {
            abort(header);
        }
        header.is_detached.set(true);
        drop(header.waiter.take());
        self.discard()
    }
}
