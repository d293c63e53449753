//! L4: work that would block the loop, on the loop's helper threads.
//!
//! Everything that needs another thread goes through here: names, files, stdin, and what the user
//! spawns. Invariant: whatever becomes of the work and of the pool, a [`Work`] completes.

use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use crate::caught::catch;
use crate::context;
use crate::current::{self, WaitsFor, budget};
use crate::executor::JoinError;
use crate::io_error::explain_as;
use crate::threads::Job;
pub(crate) use crate::threads::Kind;
use crate::wait::WakeList;

/// Work on its way to a helper thread and back. Dropping this does not stop it: then its output is
/// dropped where it comes to be.
#[must_use = "the work runs, but nobody hears of its outcome"]
pub(crate) struct Work<T>(Arc<Slot<T>>);

/// What the thread and who waits share.
struct Slot<T> {
    started_at: &'static Location<'static>,
    state: Mutex<State<T>>,
}

struct State<T> {
    stage: Stage<T>,
    /// Of who polled the [`Work`] last.
    waiter: Option<Waker>,
    /// Of others who wait, each task once.
    sharers: Vec<Waker>,
    /// The [`Work`] was dropped.
    is_detached: bool,
}

enum Stage<T> {
    Queued(Box<dyn FnOnce() -> T + Send>),
    Running,
    Done(Result<T, JoinError>),
    Taken,
}

/// Starts `work` on a helper thread of the running loop; if its kind is at its limit, once work of
/// that kind has ended.
///
/// # Panics
///
/// Outside of a running loop; `what` was called.
#[track_caller]
pub(crate) fn start<T: Send + 'static>(
    kind: Kind,
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Work<T> {
    let context = context::expect(what);
    let started_at = Location::caller();
    let stage = Stage::Queued(Box::new(work));
    let state = State { stage, waiter: None, sharers: Vec::new(), is_detached: false };
    let slot = Arc::new(Slot { started_at, state: Mutex::new(state) });
    if let Err(reason) = context.pool.submit(kind, slot.clone(), started_at) {
        slot.cancel(Some(reason));
    }
    Work(slot)
}

/// Makes a system call on a helper thread of the running loop, as [`uninterrupted`] does. It starts
/// now; dropping the future does not stop it. A panic of `call` comes out of the future.
///
/// # Errors
///
/// Those of `call`. If no helper thread can be started, or the loop ended before the work began.
///
/// # Panics
///
/// Outside of a running loop.
#[track_caller]
pub(crate) fn submit<T: Send + 'static>(
    kind: Kind,
    call: impl FnMut() -> io::Result<T> + Send + 'static,
) -> impl Future<Output = io::Result<T>> {
    let what = "an operation that needs a helper thread";
    let work = start(kind, what, move || uninterrupted(call));
    async move { work.await.or_else(|error| error.resume())? }
}

/// Makes a system call that may block, and makes it again while a signal interrupts it (EINTR).
///
/// # Errors
///
/// Those of `call`, but never kind `Interrupted` or `WouldBlock`, which the traits of futures-io
/// forbid: nothing reports when a file that is non-blocking is ready.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let sentence = format!(
                    "a blocking call did not wait: {error} (a file must not be non-blocking: use \
                     AsyncFd)"
                );
                return Err(explain_as(io::ErrorKind::ResourceBusy, error, sentence));
            }
            result => return result,
        }
    }
}

impl<T> Work<T> {
    /// Completes once the outcome is there to be taken. Any number of tasks may wait.
    pub(crate) fn poll_done(&self, cx: &mut Context<'_>) -> Poll<()> {
        // Cloned before the lock is taken: a waker is foreign code.
        let waker = cx.waker().clone();
        let mut state = self.0.lock();
        if !state.is_waited_for() {
            return Poll::Ready(());
        }
        if !state.sharers.iter().any(|sharer| sharer.will_wake(&waker)) {
            state.sharers.push(waker);
        }
        current::pending(WaitsFor::Thread)
    }

    /// The outcome, if it is there and was not taken.
    pub(crate) fn take(&self) -> Option<Result<T, JoinError>> {
        self.0.lock().take()
    }

    pub(crate) fn is_done(&self) -> bool {
        !self.0.lock().is_waited_for()
    }

    /// Cancels what has not begun: it never will.
    pub(crate) fn abort(&self) {
        self.0.cancel(None);
    }
}

impl<T> Future for Work<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(budget::poll_left(cx));
        // Cloned before the lock is taken: a waker is foreign code.
        let waker = cx.waker().clone();
        let mut state = self.0.lock();
        if state.is_waited_for() {
            let old = state.waiter.replace(waker);
            drop(state);
            drop(old);
            return current::pending(WaitsFor::Thread);
        }
        let outcome = state.take();
        drop(state);
        budget::spend();
        Poll::Ready(outcome.expect("blocking work was polled after it gave its output"))
    }
}

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_detached = true;
        let dropped = (state.take(), state.waiter.take(), std::mem::take(&mut state.sharers));
        drop(state);
        drop(dropped);
    }
}

impl<T> State<T> {
    fn take(&mut self) -> Option<Result<T, JoinError>> {
        if self.is_waited_for() {
            return None;
        }
        match std::mem::replace(&mut self.stage, Stage::Taken) {
            Stage::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    fn is_waited_for(&self) -> bool {
        matches!(self.stage, Stage::Queued(_) | Stage::Running)
    }

    /// The outcome is there. Returns who waits for it.
    fn finish(&mut self, outcome: Result<T, JoinError>) -> WakeList {
        self.stage = Stage::Done(outcome);
        self.take_waiters()
    }

    fn take_waiters(&mut self) -> WakeList {
        let mut waiters = WakeList::default();
        waiters.extend(self.waiter.take());
        waiters.extend(self.sharers.drain(..));
        waiters
    }

    /// Takes the work, unless that was done.
    fn begin(&mut self) -> Option<Box<dyn FnOnce() -> T + Send>> {
        match std::mem::replace(&mut self.stage, Stage::Running) {
            Stage::Queued(work) => Some(work),
            stage => {
                self.stage = stage;
                None
            }
        }
    }
}

impl<T> Slot<T> {
    /// Ends what has not begun; `reason` says why, if nobody asked for it.
    fn cancel(&self, reason: Option<io::Error>) {
        let mut state = self.lock();
        let Some(work) = state.begin() else { return };
        let waiters = state.finish(Err(JoinError::not_begun(self.started_at, reason)));
        drop(state);
        // Also if a destructor panics, they are woken.
        drop(work);
        waiters.wake();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send> Job for Slot<T> {
    fn run(&self, done: &dyn Fn()) -> WakeList {
        let work = self.lock().begin();
        let Some(work) = work else {
            done();
            return WakeList::default();
        };
        let outcome = catch(work);
        let mut state = self.lock();
        if state.is_detached {
            drop(state);
            // Part of the work: this may take as long as it likes.
            let _ = catch(|| drop(outcome));
            done();
            return WakeList::default();
        }
        // Under the lock: nobody sees the outcome before, nor lets go of it.
        done();
        let panicked = |panic| JoinError::panicked_elsewhere(self.started_at, panic);
        state.finish(outcome.map_err(panicked))
    }

    fn give_up(&self) {
        self.cancel(Some(io::Error::other("the event loop ended before the work began")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_a_signal_interrupts_is_made_again() {
        let mut outcomes =
            [Err(io::ErrorKind::Interrupted), Err(io::ErrorKind::Interrupted), Ok(7)]
                .into_iter()
                .map(|outcome| outcome.map_err(io::Error::from));
        let value = uninterrupted(|| outcomes.next().expect("no call after the last"));
        assert_eq!(value.unwrap(), 7);
        assert!(outcomes.next().is_none());
    }

    #[test]
    fn a_call_that_cannot_wait_has_an_error_of_another_kind() {
        let error = uninterrupted::<()>(|| Err(io::ErrorKind::WouldBlock.into())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        assert!(std::error::Error::source(&error).is_some());
    }
}
