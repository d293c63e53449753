//! A task that another thread spawned: how it reaches the loop, and how its output returns.
//!
//! On the loop a forwarder task awaits the actual task. Invariant: whatever happens to the loop,
//! its [`Promise`] is dropped, on the loop or on the way to it, and stores an outcome.

use std::future::{Future, poll_fn};
use std::io;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll, Waker, ready};

use super::handle::Handle;
use crate::context::{self, Context};
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
struct Promise<T> {
    shared: Arc<Shared<T>>,
    /// The inbox of the task's loop, to detect that the loop has ended.
    inbox: Arc<Inbox>,
}

/// The forwarder: passes the task's outcome to the handle.
struct Forwarder<T: 'static> {
    task: JoinHandle<T>,
    promise: Promise<T>,
}

impl Handle {
    /// Spawns a task on the loop, from any thread. `f` runs on the loop's thread and returns the
    /// task's future. `f` is `Send`, the future need not be.
    ///
    /// If the loop has ended, or ends before the task, the outcome is a cancelled
    /// [`JoinError`] that says so.
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
        let promise = Promise { shared: shared.clone(), inbox: self.inbox().clone() };
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

    /// Runs a task on the loop, and blocks this thread until it ends: [`spawn`](Handle::spawn) and
    /// [`join`](RemoteHandle::join). `f` runs on the loop's thread and returns the task's future,
    /// which need not be `Send`: so it can use sockets and tasks of the loop.
    ///
    /// # Panics
    ///
    /// On the thread of the loop. Also if the loop has ended, or ends before the task: `spawn` and
    /// `join` return that as an error. A panic of the task propagates.
    ///
    /// ```
    /// use std::thread;
    ///
    /// let mut runtime = evloop::Runtime::new()?;
    /// let handle = runtime.handle();
    /// let thread = thread::spawn(move || {
    ///     let sum = handle.block_on(async || evloop::spawn(async { 2 }).await.unwrap() + 3);
    ///     handle.stop();
    ///     sum
    /// });
    /// runtime.run()?;
    /// assert_eq!(thread.join().unwrap(), 5);
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "run_coroutine_threadsafe")]
    #[track_caller]
    pub fn block_on<F, Fut>(&self, f: F) -> Fut::Output
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future + 'static,
        Fut::Output: Send + 'static,
    {
        assert!(
            self.is_closed() || !self.inbox().is_on_this_thread(),
            "Handle::block_on was called on the thread of its own loop, which would wait for \
             itself: await the future instead"
        );
        match self.spawn(f).join() {
            Ok(output) => output,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(error) => panic!("Handle::block_on: {error}"),
        }
    }
}

impl<T: 'static> Forwarder<T> {
    async fn run(mut self) {
        let outcome = poll_fn(|cx| self.poll(cx)).await;
        self.complete(outcome);
    }

    fn complete(&self, outcome: Result<T, JoinError>) {
        let outcome = match outcome {
            Err(error) if error.is_cancelled() => Err(error.because(self.promise.reason())),
            outcome => outcome,
        };
        if Arc::strong_count(&self.promise.shared) > 1 {
            return self.promise.shared.finish(outcome);
        }
        // The handle was dropped, so an error is reported as a detached task's.
        if let Some(error) = drop_outcome(self.task.header(), outcome, known_error) {
            context::expect("Handle::spawn").executor.report(error);
        }
    }

    fn poll(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<T, JoinError>> {
        let mut state = self.promise.shared.lock();
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
        let error = JoinError::not_begun(self.shared.spawned_at, self.reason());
        self.shared.finish(Err(error));
    }
}

impl<T> Promise<T> {
    /// Returns why the task has no output: its loop has ended, or `None` if the task was aborted.
    fn reason(&self) -> Option<io::Error> {
        let is_own = |context: &Rc<Context>| Arc::ptr_eq(&context.inbox, &self.inbox);
        let is_ending = || {
            context::current().filter(is_own).is_some_and(|context| context.executor.is_closing())
        };
        let has_ended = self.inbox.is_closed() || is_ending();
        has_ended.then(|| io::Error::other("the event loop has ended"))
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
    #[track_caller]
    pub fn join(self) -> Result<T, JoinError> {
        assert!(
            self.is_finished() || !self.inbox.is_on_this_thread(),
            "RemoteHandle::join was called on the thread of its own loop, which would wait for \
             itself: await the handle instead"
        );
        let spawned_at = self.shared.spawned_at;
        let state = self.shared.lock();
        let waiting = |state: &mut State<T>| !state.is_finished;
        let state = self.shared.finished.wait_while(state, waiting);
        let outcome = state.unwrap_or_else(PoisonError::into_inner).outcome.take();
        match outcome {
            Some(outcome) => outcome,
            None => panic!(
                "the RemoteHandle of the task spawned at {spawned_at} was joined after its output \
                 was taken: await or join it once"
            ),
        }
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

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        ready!(budget::poll_left(cx));
        // Cloned before the lock is taken: cloning a waker runs user code.
        let waker = cx.waker().clone();
        let mut state = self.shared.lock();
        if state.is_finished {
            let outcome = state.outcome.take();
            drop(state);
            budget::spend();
            let Some(outcome) = outcome else {
                let spawned_at = self.shared.spawned_at;
                panic!(
                    "the RemoteHandle of the task spawned at {spawned_at} was awaited after its \
                     output was taken: await it once"
                );
            };
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
