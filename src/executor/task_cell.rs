//! The body of a task: its future, later its output, and the steps between them.
//!
//! The executor and the scopes call these steps through a [`Task`] or an [`Owner`], a handle
//! through its [`Output`]. Each function of the table is a whole step of the task, so that the
//! compiler can inline all code that knows the future's type into one function.
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
//! Invariants:
//!
//! - *State*: the contents are accessed only by the call that moved the state from `Idle`,
//!   `Aborted` or `Unwound` to `Busy`, until that call leaves `Busy` or `BusyAborted`; or by the
//!   call that moves the state from `Done` to `Taken`. No step can be taken twice.
//! - *Steps*: the functions in `STEPS`, `RELAY` and the table, and what they call, get tasks of
//!   that table.

use std::cell::UnsafeCell;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop, needs_drop};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::awaited::store_waiter;
use super::child_slot::ByScope;
use super::header::{Flag, Header, State};
use super::join_error::JoinError;
use super::task_end::TaskEnd;
use super::task_memory::{Owner, RunOutcome, Runnable, Steps, Table, Task};
use super::task_output::{ByLoop, RunBy, drop_output, only_panic};
use super::waker::waker;
use crate::caught::{Caught, catch};
use crate::current::{self, TaskId, WaitsFor, budget};

/// The body of a task. `R` is the loop or the scope that runs it.
pub(super) struct TaskCell<F: Future, R> {
    run_by: R,
    contents: UnsafeCell<Contents<F>>,
}

enum Contents<F: Future> {
    /// Pinned: the future is polled and dropped in place, and never moved.
    Future(F),
    /// `None` after it was taken. So taking it moves the output, and not the whole contents.
    Output(Option<Result<F::Output, JoinError>>),
}

/// Its drop, during a panic, marks the task as `Unwound`: the call that made it `Busy` has ended.
struct Unwound<'a>(&'a Header);

/// A task with the output `T`, as its handle sees it.
pub(crate) struct Output<'env, T> {
    owner: Owner<'env>,
    /// `T` is the output of the task's future, and not a subtype of it.
    output: PhantomData<*mut T>,
}

impl<F: Future + 'static> TaskCell<F, ByLoop> {
    const TABLE: Table = Table::of::<Self, F::Output>(Self::STEPS, Self::take);

    /// Makes a task that the loop runs.
    #[allow(unsafe_code)]
    #[inline]
    pub(super) fn by_loop(
        id: TaskId,
        spawned_at: &'static Location<'static>,
        future: F,
    ) -> Output<'static, F::Output> {
        let make = || (Header::new(id, spawned_at), TaskCell::new(ByLoop, future));
        // SAFETY: the table is for this type. Its future is `'static`.
        let owner = unsafe { Owner::new(&Self::TABLE, make) };
        Output { owner, output: PhantomData }
    }
}

impl<F: Future> TaskCell<F, ByScope> {
    /// The turn of a child in the run queue: it will run in its scope.
    const RELAY: Steps = Steps {
        run: Self::relay,
        // No future ran in this turn: the waker of the scope's task panicked.
        recover: |_, panic| Err(panic),
        discard: |_| None,
    };
    const TABLE: Table = Table::of::<Self, F::Output>(Self::STEPS, Self::take)
        .borrowing(Self::RELAY, Self::unhandled);

    /// Makes a task that a scope runs.
    #[allow(unsafe_code)]
    pub(super) fn by_scope<'env>(
        id: TaskId,
        spawned_at: &'static Location<'static>,
        future: F,
        scope: ByScope,
    ) -> Output<'env, F::Output>
    where
        F: 'env,
    {
        let make = || (Header::of_child(id, spawned_at), TaskCell::new(scope, future));
        // SAFETY: the table is for this type, and borrowing. Its future outlives `'env`.
        let owner = unsafe { Owner::new(&Self::TABLE, make) };
        Output { owner, output: PhantomData }
    }

    fn relay(task: &Task) -> RunOutcome {
        let ByScope { scope_state, key } = Self::scope(task);
        current::begin_task(task.header().id);
        scope_state.mark_ready(task.header(), *key);
        RunOutcome::Delegated
    }

    fn unhandled(task: &Task, panic: JoinError) -> Option<JoinError> {
        Self::scope(task).scope_state.fail(panic)
    }

    #[allow(unsafe_code)]
    #[inline]
    fn scope<'a>(task: &'a Task) -> &'a ByScope
    where
        F: 'a,
    {
        // SAFETY: by *Steps*.
        unsafe { &task.body::<Self>().run_by }
    }
}

impl<F: Future, R: RunBy<F::Output>> TaskCell<F, R> {
    const STEPS: Steps = Steps { run: Self::run, recover: Self::recover, discard: Self::discard };

    fn new(run_by: R, future: F) -> TaskCell<F, R> {
        TaskCell { run_by, contents: UnsafeCell::new(Contents::Future(future)) }
    }

    #[allow(unsafe_code)]
    fn run(task: &Task) -> RunOutcome {
        let header = task.header();
        // Before any code of the task runs, also before the destructor of an aborted one.
        current::begin_task(header.id);
        // SAFETY: by *Steps*.
        let cell = unsafe { task.body::<Self>() };
        if header.state.get() != State::Idle {
            return cell.run_unpolled(header);
        }
        header.state.set(State::Busy);
        let unwound = Unwound(header);
        header.polls.set(header.polls.get().wrapping_add(1));
        // Dropping our waker does nothing: this saves the call through its vtable.
        let waker = ManuallyDrop::new(waker(header.waker_id.get()));
        let polled = cell.poll(&mut Context::from_waker(&waker));
        // The poll did not panic.
        mem::forget(unwound);
        if polled.is_ready() {
            header.state.set(State::Done);
            return RunOutcome::Ready;
        }
        header.set_waits();
        if header.state.get() == State::BusyAborted {
            header.state.set(State::Aborted);
            return cell.run_unpolled(header);
        }
        header.state.set(State::Idle);
        RunOutcome::Pending
    }

    #[allow(unsafe_code)]
    fn recover(task: &Task, panic: Caught) -> Result<(), Caught> {
        let header = task.header();
        if header.state.get() != State::Unwound {
            return Err(panic);
        }
        header.state.set(State::Busy);
        header.end.set(TaskEnd::Panicked);
        let error = JoinError::panicked(header, panic);
        // SAFETY: by *Steps*.
        let cell = unsafe { task.body::<Self>() };
        // The future's destructor may panic too: the first panic is reported.
        let _ = catch(|| cell.fail(error));
        header.state.set(State::Done);
        Ok(())
    }

    fn discard(task: &Task) -> Option<JoinError> {
        match Self::take(task)? {
            Ok(output) if R::knows_errors() || needs_drop::<F::Output>() => {
                drop_output(task.header(), output, R::error_in)
            }
            Ok(_) => None,
            Err(error) => only_panic(error),
        }
    }

    /// Takes the output, if the task has ended and the output was not taken before.
    #[allow(unsafe_code)]
    fn take(task: &Task) -> Option<Result<F::Output, JoinError>> {
        if task.header().state.get() != State::Done {
            return None;
        }
        task.header().state.set(State::Taken);
        // SAFETY: by *Steps*.
        let contents = unsafe { task.body::<Self>() }.contents.get();
        // SAFETY: by *State*, this is the step from Done to Taken.
        match unsafe { &mut *contents } {
            Contents::Output(output) => output.take(),
            Contents::Future(_) => None,
        }
    }

    /// Polls the future. If it is ready, the output replaces it. Needs `Busy`.
    #[allow(unsafe_code)]
    #[inline]
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: by *State*, no other call accesses the contents.
        let contents = unsafe { &mut *self.contents.get() };
        let Contents::Future(future) = contents else { return Poll::Ready(()) };
        // SAFETY: the cell stays in its block until it is freed, and the future is never moved: it
        // is only overwritten, which drops it where it is.
        let future = unsafe { Pin::new_unchecked(future) };
        let Poll::Ready(output) = future.poll(cx) else { return Poll::Pending };
        *contents = Contents::Output(Some(Ok(output)));
        Poll::Ready(())
    }

    /// Drops the future, or an output, and stores an error instead. Needs `Busy`.
    #[allow(unsafe_code)]
    fn fail(&self, error: JoinError) {
        // SAFETY: by *State*, no other call accesses the contents. The assignment drops the old
        // contents in place, and stores the error even if that drop panics.
        unsafe { *self.contents.get() = Contents::Output(Some(Err(error))) }
    }

    /// Runs a turn without a poll: drops the future of an aborted task. Does nothing if the task is
    /// busy or has ended.
    #[cold]
    fn run_unpolled(&self, header: &Header) -> RunOutcome {
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

impl<'env, T> Output<'env, T> {
    pub(crate) fn header(&self) -> &Header {
        self.owner.header()
    }

    /// Returns the task as the run queue sees it.
    pub(super) fn task(&self) -> &Task {
        self.owner.task()
    }

    /// Returns the task as its scope sees it.
    pub(crate) fn owner(&self) -> &Owner<'env> {
        &self.owner
    }

    /// Takes the output of a task that has ended. Stores the waker until then.
    ///
    /// # Panics
    ///
    /// If the output was taken before.
    #[track_caller]
    pub(crate) fn poll_output(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let header = self.header();
        if header.is_finished() {
            ready!(budget::poll_unit(cx));
            let Some(output) = self.take() else { polled_again(header) };
            return Poll::Ready(output);
        }
        store_waiter(header, cx.waker());
        if header.is_finished() {
            // The task ended while it cloned the waker, which is user code: no later event
            // would wake the waiter.
            cx.waker().wake_by_ref();
        }
        current::pending(WaitsFor::Task)
    }

    /// Takes the output, if the task has ended and the output was not taken before.
    #[allow(unsafe_code)]
    #[inline]
    pub(crate) fn take(&self) -> Option<Result<T, JoinError>> {
        // SAFETY: `by_loop` and `by_scope` chose `T` as the output of the future.
        unsafe { self.owner.take() }
    }

    /// Detaches the task: its output is dropped at its end. If the task has ended already, returns
    /// its panic, or the panic of the output's destructor.
    #[inline]
    pub(crate) fn detach(&self) -> Option<JoinError> {
        let header = self.header();
        if header.state.get() == State::Taken {
            return None;
        }
        header.set(Flag::IsDetached, true);
        header.waiter.clear();
        // An unfinished task, the usual case, saves the call through the table.
        if header.state.get() == State::Done { self.owner.discard() } else { None }
    }
}
