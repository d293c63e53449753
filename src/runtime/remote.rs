//! A task that another thread spawned: its way there, and its output's way back.
//!
//! On the loop a forwarder task awaits the task proper. Invariant: whatever becomes of the loop,
//! [`Promise`] is dropped there or on its way there, and leaves an outcome.

use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use super::handle::Handle;
use crate::context;
use crate::current::{self, WaitsFor, budget};
use crate::executor::{JoinError, JoinHandle, SpawnOptions};
use crate::threads::Inbox;

/// A task of a loop on another thread.
///
/// It can be awaited on any loop and runtime, or waited for with [`join`](RemoteHandle::join).
/// Dropping it detaches the task. When the loop ends before the task does, the outcome is a
/// cancelled [`JoinError`].
#[must_use = "dropping a RemoteHandle detaches its task: await or join it, or `drop` it to say so"]
pub struct RemoteHandle<T> {
    shared: Arc<Shared<T>>,
    /// To tell its thread from others.
    inbox: Arc<Inbox>,
}

struct Shared<T> {
    spawned_at: &'static Location<'static>,
    state: Mutex<State<T>>,
    /// The outcome is there.
    finished: Condvar,
}

struct State<T> {
    outcome: Option<Result<T, JoinError>>,
    is_finished: bool,
    is_aborted: bool,
    /// Of who awaits the outcome.
    waiter: Option<Waker>,
    /// Of the forwarder, for `abort`.
    forwarder: Option<Waker>,
}

/// The loop's end of the way back. Dropped, it leaves an outcome.
struct Promise<T>(Arc<Shared<T>>);

/// The forwarder.
struct Forward<T> {
    task: JoinHandle<T>,
    promise: Promise<T>,
}

impl Handle {
    /// Spawns on the loop the task that `f` makes there. `f` is `Send`, the task need not be.
    #[doc(alias = "run_coroutine_threadsafe")]
    #[track_caller]
    pub fn spawn<F, Fut>(&self, f: F) -> RemoteHandle<Fut::Output>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future + 'static,
        Fut::Output: Send + 'static,
    {
        let spawned_at = Location::caller();
        let shared =
            Arc::new(Shared { spawned_at, state: Mutex::default(), finished: Condvar::new() });
        let promise = Promise(shared.clone());
        self.call_threadsafe(move || {
            let executor = &context::expect("Handle::spawn").executor;
            // `f` is called inside of the task: its panic is the task's.
            let task = async { f().await };
            let task = executor.spawn(task, SpawnOptions::at(spawned_at));
            let forward = Forward { task, promise };
            let options =
                SpawnOptions { name: Some("remote handle".into()), ..SpawnOptions::at(spawned_at) };
            drop(executor.spawn(forward.run(), options));
        });
        RemoteHandle { shared, inbox: self.inbox().clone() }
    }
}

impl<T> Forward<T> {
    async fn run(mut self) {
        let outcome = poll_fn(|cx| self.poll(cx)).await;
        self.settle(outcome);
    }

    fn settle(&self, outcome: Result<T, JoinError>) {
        match outcome {
            // The handle was dropped: nobody else will hear of it.
            Err(error) if error.is_panic() && Arc::strong_count(&self.promise.0) == 1 => {
                context::expect("Handle::spawn").executor.report(error);
            }
            outcome => self.promise.0.finish(outcome),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let mut state = self.promise.0.lock();
        if state.is_aborted {
            self.task.abort();
        }
        let old = state.forwarder.replace(cx.waker().clone());
        drop(state);
        drop(old);
        Pin::new(&mut self.task).poll(cx)
    }
}

impl<T> Drop for Forward<T> {
    fn drop(&mut self) {
        // The task may have ended, and the loop before this could run.
        if let Some(output) = self.task.take_finished() {
            self.settle(output);
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.0.finish(Err(JoinError::cancelled_remote(self.0.spawned_at)));
    }
}

impl<T> Shared<T> {
    /// Leaves the outcome, unless there is one.
    fn finish(&self, outcome: Result<T, JoinError>) {
        let mut state = self.lock();
        if state.is_finished {
            return;
        }
        state.is_finished = true;
        state.outcome = Some(outcome);
        let waiter = state.waiter.take();
        drop(state);
        self.finished.notify_all();
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> RemoteHandle<T> {
    /// Blocks this thread until the task ends.
    ///
    /// # Panics
    ///
    /// On the thread on which the task's loop runs, since neither could go on. After the outcome
    /// was taken by awaiting.
    pub fn join(self) -> Result<T, JoinError> {
        assert!(
            self.is_finished() || !self.inbox.is_on_this_thread(),
            "RemoteHandle::join was called on the thread of its own loop, which would wait for \
             itself: await the handle instead"
        );
        let state = self.shared.lock();
        let waiting = |state: &mut State<T>| !state.is_finished;
        let state = self.shared.finished.wait_while(state, waiting);
        let outcome = state.unwrap_or_else(PoisonError::into_inner).outcome.take();
        outcome.expect("a RemoteHandle was joined after it gave its output")
    }

    /// Asks for the task's end, as [`JoinHandle::abort`] does.
    pub fn abort(&self) {
        let mut state = self.shared.lock();
        state.is_aborted = true;
        let forwarder = state.forwarder.take();
        drop(state);
        if let Some(forwarder) = forwarder {
            forwarder.wake();
        }
    }

    /// Whether the outcome is there.
    pub fn is_finished(&self) -> bool {
        self.shared.lock().is_finished
    }
}

impl<T> Future for RemoteHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(budget::poll_left(cx));
        // Cloned before the lock is taken: a waker is foreign code.
        let waker = cx.waker().clone();
        let mut state = self.shared.lock();
        if state.is_finished {
            let outcome = state.outcome.take();
            drop(state);
            budget::spend();
            let outcome = outcome.expect("a RemoteHandle was polled after it gave its output");
            return Poll::Ready(outcome);
        }
        let old = state.waiter.replace(waker);
        drop(state);
        drop(old);
        current::pending(WaitsFor::Task)
    }
}

impl<T> Default for State<T> {
    fn default() -> State<T> {
        State {
            outcome: None,
            is_finished: false,
            is_aborted: false,
            waiter: None,
            forwarder: None,
        }
    }
}

impl<T> std::fmt::Debug for RemoteHandle<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("RemoteHandle");
        debug.field("is_finished", &self.is_finished()).finish_non_exhaustive()
    }
}
