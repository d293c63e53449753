//! L4: work that would block the loop, on the loop's blocking pool.
//!
//! All uses of the pool go through here: names, files, stdin, and work that user code spawns.
//! Invariant: a [`Work`] always completes, also if its work panics or the pool closes.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use crate::caught::catch;
use crate::context;
use crate::current::{self, WaitsFor, budget};
use crate::executor::{JoinError, SpawnOptions};
use crate::io_error::explain_as;
pub(crate) use crate::threads::Kind;
use crate::threads::{Job, Pool};
use crate::wait::WakeList;
use crate::world::{self, Here, Stream};

/// The longest virtual time, in nanoseconds, that work takes in a simulated world.
const LATER_MAX: u64 = 1_000_000;

/// Awaits the output of work on the blocking pool. Dropping it does not stop the work: the output
/// is then dropped on the thread of the pool.
#[must_use = "the work runs, but its output is dropped: await it"]
pub(crate) struct Work<T>(Arc<Slot<T>>);

/// The state that the pool's thread shares with the waiting tasks.
struct Slot<T> {
    started_at: &'static Location<'static>,
    state: Mutex<State<T>>,
}

struct State<T> {
    stage: Stage<T>,
    /// The waker of the last poll of the [`Work`].
    waiter: Option<Waker>,
    /// The wakers of [`poll_done`](Work::poll_done), one for each task.
    shared_waiters: Vec<Waker>,
    /// The [`Work`] was dropped.
    is_detached: bool,
    /// The work was to be aborted when it had begun already.
    is_aborted: bool,
}

enum Stage<T> {
    Queued(Box<dyn FnOnce() -> T + Send>),
    Running,
    Done(Result<T, JoinError>),
    Taken,
}

/// Starts `work` on the blocking pool of the running loop. If its kind is at its limit, the work
/// starts after other work of that kind has ended.
///
/// # Panics
///
/// Outside a running loop. `what` names the called function in the message.
#[track_caller]
pub(crate) fn start<T: Send + 'static>(
    kind: Kind,
    what: impl fmt::Display,
    work: impl FnOnce() -> T + Send + 'static,
) -> Work<T> {
    start_on(&context::expect(what).pool, kind, work)
}

/// Starts `work` on a pool, from any thread. If its kind is at its limit, the work starts after
/// other work of that kind has ended.
#[track_caller]
pub(crate) fn start_on<T: Send + 'static>(
    pool: &Pool,
    kind: Kind,
    work: impl FnOnce() -> T + Send + 'static,
) -> Work<T> {
    let started_at = Location::caller();
    let stage = Stage::Queued(Box::new(work));
    let state = State {
        stage,
        waiter: None,
        shared_waiters: Vec::new(),
        is_detached: false,
        is_aborted: false,
    };
    let slot = Arc::new(Slot { started_at, state: Mutex::new(state) });
    let submitted = match world::here() {
        None => pool.submit(kind, slot.clone(), started_at),
        Some(here) => run_later(here, kind, slot.clone()),
    };
    if let Err(reason) = submitted {
        slot.cancel(Some(reason));
    }
    Work(slot)
}

/// In a simulated world there is one thread: it calls the work of user code at a later virtual
/// time, and there is no system for other work.
#[cold]
#[track_caller]
fn run_later(here: Here, kind: Kind, job: Arc<dyn Job>) -> io::Result<()> {
    if !matches!(kind, Kind::User) {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a simulated world has no files and no system calls that block: pass the data to the \
             host, or read it before the world begins",
        ));
    }
    let context = context::expect("blocking work");
    let reactor = context.reactor.clone();
    let at = reactor.clock.nanos() + 1 + here.random(Stream::Tasks) % LATER_MAX;
    let (job, mut timer) = (Unstarted(Some(job)), None);
    let work = async move {
        poll_fn(|cx| reactor.poll_timer(&mut timer, at, cx.waker())).await;
        job.run();
    };
    drop(context.executor.spawn_boxed(work, SpawnOptions::here()));
    Ok(())
}

/// A job that waits for its time. If its loop ends first, the job is cancelled.
struct Unstarted(Option<Arc<dyn Job>>);

impl Unstarted {
    fn run(mut self) {
        if let Some(job) = self.0.take() {
            job.run(&|| ()).wake();
        }
    }
}

impl Drop for Unstarted {
    fn drop(&mut self) {
        if let Some(job) = self.0.take() {
            job.cancel_unstarted("the host");
        }
    }
}

/// Makes a system call on the blocking pool of the running loop, as [`uninterrupted`] does. The
/// call starts now; dropping the future does not stop it. The future propagates a panic of `call`.
///
/// # Errors
///
/// The errors of `call`. An error if no thread can be started, or if the loop ends before the work
/// begins.
///
/// # Panics
///
/// Outside a running loop. `what` names the called function in the message.
#[track_caller]
pub(crate) fn submit<T: Send + 'static>(
    kind: Kind,
    what: impl fmt::Display,
    call: impl FnMut() -> io::Result<T> + Send + 'static,
) -> impl Future<Output = io::Result<T>> {
    let work = start(kind, what, move || uninterrupted(call));
    async move { work.await.or_else(|error| error.resume())? }
}

/// Makes a system call that may block, and repeats it while a signal interrupts it (EINTR).
///
/// # Errors
///
/// The errors of `call`, but never of kind `Interrupted` or `WouldBlock`: the traits of futures-io
/// forbid them. `WouldBlock` becomes another kind, since no event reports when a non-blocking file
/// is ready.
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
    /// Completes when the outcome can be taken. Any number of tasks may wait.
    pub(crate) fn poll_done(&self, cx: &mut Context<'_>) -> Poll<()> {
        // Cloned before the lock is taken: a waker's clone is user code.
        let waker = cx.waker().clone();
        let mut state = self.0.lock();
        if !state.is_waited_for() {
            return Poll::Ready(());
        }
        if !state.shared_waiters.iter().any(|waiter| waiter.will_wake(&waker)) {
            state.shared_waiters.push(waker);
        }
        current::pending(WaitsFor::Thread)
    }

    /// Takes the outcome, if the work has ended and the outcome was not taken before.
    pub(crate) fn take(&self) -> Option<Result<T, JoinError>> {
        self.0.lock().take()
    }

    pub(crate) fn is_done(&self) -> bool {
        !self.0.lock().is_waited_for()
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(self.0.lock().stage, Stage::Running)
    }

    /// Cancels the work if it has not begun, and marks it as aborted otherwise.
    pub(crate) fn abort(&self) {
        self.0.lock().is_aborted = true;
        self.0.cancel(None);
    }
}

impl<T> Future for Work<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(budget::poll_left(cx));
        // Cloned before the lock is taken: a waker's clone is user code.
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
        match outcome {
            Some(outcome) => Poll::Ready(outcome),
            None => panic!(
                "the handle of the blocking work spawned at {} was awaited after its output was \
                 taken: await it once",
                self.0.started_at
            ),
        }
    }
}

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_detached = true;
        let dropped =
            (state.take(), state.waiter.take(), std::mem::take(&mut state.shared_waiters));
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

    /// Stores the outcome. Returns the wakers of the waiting tasks.
    fn finish(&mut self, outcome: Result<T, JoinError>) -> WakeList {
        self.stage = Stage::Done(outcome);
        self.take_waiters()
    }

    fn take_waiters(&mut self) -> WakeList {
        let mut waiters = WakeList::default();
        waiters.extend(self.waiter.take());
        for waiter in std::mem::take(&mut self.shared_waiters) {
            waiters.extend(Some(waiter));
        }
        waiters
    }

    /// Takes the work, unless it was taken or cancelled before.
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
    /// Cancels the work if it has not begun. `reason` is the error that caused it, if the
    /// cancellation was not requested.
    fn cancel(&self, reason: Option<io::Error>) {
        let mut state = self.lock();
        let Some(work) = state.begin() else { return };
        let waiters = state.finish(Err(JoinError::not_begun(self.started_at, reason)));
        drop(state);
        // If this destructor panics, the drop of `waiters` wakes them.
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
            // Before `done`: the destructor is user code, and may block like the work itself.
            let _ = catch(|| drop(outcome));
            done();
            return WakeList::default();
        }
        // Under the lock: the outcome becomes visible, or is dropped, only after `done`.
        done();
        let panicked = |panic| JoinError::panicked_elsewhere(self.started_at, panic);
        state.finish(outcome.map_err(panicked))
    }

    fn cancel_unstarted(&self, owner: &str) {
        let sentence = format!("{owner} ended before the work began");
        self.cancel(Some(io::Error::other(sentence)));
    }

    fn is_abandoned(&self) -> bool {
        let state = self.lock();
        state.is_detached || state.is_aborted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_call_is_repeated() {
        let mut outcomes =
            [Err(io::ErrorKind::Interrupted), Err(io::ErrorKind::Interrupted), Ok(7)]
                .into_iter()
                .map(|outcome| outcome.map_err(io::Error::from));
        let value = uninterrupted(|| outcomes.next().expect("no call follows a success"));
        assert_eq!(value.unwrap(), 7);
        assert!(outcomes.next().is_none());
    }

    #[test]
    fn would_block_becomes_another_kind() {
        let error = uninterrupted::<()>(|| Err(io::ErrorKind::WouldBlock.into())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        assert!(std::error::Error::source(&error).is_some());
    }
}
