//! A task that another thread spawned: how it reaches the loop, and how its output returns.
//!
//! On the loop a forwarder task awaits the actual task. Invariant: whatever happens to the loop,
//! its [`Promise`] is dropped, on the loop or on the way to it, and stores an outcome.

use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use super::handle::Handle;
use crate::context;
use crate::current::{self, WaitsFor, budget};
use crate::executor::{JoinError, JoinHandle, SpawnOptions, drop_outcome, known_error};
use crate::threads::Inbox;

/// The handle of a task on a loop of another thread; returned by [`Handle::spawn`].
///
/// It can be awaited on any loop and runtime, and [`join`](RemoteHandle::join) blocks until the
/// task ends. Dropping it detaches the task. If the loop ends before the task does, the outcome is
/// a cancelled [`JoinError`].
#[must_use = "dropping a RemoteHandle detaches its task: await or join it, or `drop` it to say so"]
pub struct RemoteHandle<T> {
    shared: Arc<Shared<T>>,
    /// The inbox of the task's loop, to detect a `join` on the loop's own thread.
    inbox: Arc<Inbox>,
}

struct Shared<T> {
    spawned_at: &'static Location<'static>,
    state: Mutex<State<T>>,
    /// Signalled when the outcome is stored.
    finished: Condvar,
}

struct State<T> {
    outcome: Option<Result<T, JoinError>>,
    is_finished: bool,
    is_aborted: bool,
    /// The waker of the task that awaits the outcome.
    waiter: Option<Waker>,
    /// The waker of the forwarder, for `abort`.
    forwarder: Option<Waker>,
}

/// The loop's side of the handle. If it is dropped without an outcome, it stores a cancelled one.
struct Promise<T>(Arc<Shared<T>>);

/// The forwarder: passes the task's outcome to the handle.
struct Forwarder<T: 'static> {
    task: JoinHandle<T>,
    promise: Promise<T>,
}

impl Handle {
    /// Spawns a task on the loop, from any thread. `f` runs on the loop's thread and returns the
    /// task's future. `f` is `Send`, the future need not be.
    #[doc(alias = "run_coroutine_threadsafe")]
    #[doc(alias = "from_thread")]
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
            // `f` is called inside the task, so its panic is the task's.
            let task = async { f().await };
            let task = executor.spawn(task, SpawnOptions::at(spawned_at));
            let forward = Forwarder { task, promise };
            let options =
                SpawnOptions { name: Some("remote handle".into()), ..SpawnOptions::at(spawned_at) };
            drop(executor.spawn(forward.run(), options));
        });
        RemoteHandle { shared, inbox: self.inbox().clone() }
    }
}

impl<T: 'static> Forwarder<T> {
    async fn run(mut self) {
        let outcome = poll_fn(|cx| self.poll(cx)).await;
        self.complete(outcome);
    }

    fn complete(&self, outcome: Result<T, JoinError>) {
        if Arc::strong_count(&self.promise.0) > 1 {
            return self.promise.0.finish(outcome);
        }
        // The handle was dropped, so an error is reported as a detached task's.
        if let Some(error) = drop_outcome(self.task.header(), outcome, known_error) {
            context::expect("Handle::spawn").executor.report(error);
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

impl<T: 'static> Drop for Forwarder<T> {
    fn drop(&mut self) {
        // The task may have ended in the loop's last turn, before this forwarder was polled.
        if let Some(output) = self.task.take_finished() {
            self.complete(output);
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.0.finish(Err(JoinError::cancelled_remote(self.0.spawned_at)));
    }
}

impl<T> Shared<T> {
    /// Stores the outcome, unless there is one.
    fn finish(&self, outcome: Result<T, JoinError>) {
        let mut state = self.lock();
        if state.is_finished {
            return;
        }
        state.is_finished = true;
        state.outcome = Some(outcome);
        let waiter = state.waiter.take();
        // The waker runs user code, so the lock is released first.
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
    /// Blocks this thread until the task ends. Returns the task's output.
    ///
    /// # Panics
    ///
    /// On the thread of the task's loop, because the task could not run meanwhile. Also if the
    /// outcome was already taken by awaiting the handle.
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
        outcome.expect("a RemoteHandle was joined after its output was taken")
    }

    /// Requests that the task ends, as [`JoinHandle::abort`] does.
    pub fn abort(&self) {
        let mut state = self.shared.lock();
        state.is_aborted = true;
        let forwarder = state.forwarder.take();
        drop(state);
        if let Some(forwarder) = forwarder {
            forwarder.wake();
        }
    }

    /// Returns whether the task has ended and its outcome can be taken.
    pub fn is_finished(&self) -> bool {
        self.shared.lock().is_finished
    }
}

impl<T> Future for RemoteHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(budget::poll_left(cx));
        // Cloned before the lock is taken: cloning a waker runs user code.
        let waker = cx.waker().clone();
        let mut state = self.shared.lock();
        if state.is_finished {
            let outcome = state.outcome.take();
            drop(state);
            budget::spend();
            let outcome = outcome.expect("a RemoteHandle was polled after its output was taken");
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
