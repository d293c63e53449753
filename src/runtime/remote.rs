//! A task that another thread spawned: how it reaches the loop, and how its output returns.
//!
//! A function at the end of the task passes its output to the handle. Invariant: whatever happens
//! to the loop, its [`Promise`] is dropped, on the loop or on the way to it, and stores an outcome.

use std::future::Future;
use std::io;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll, Waker, ready};

use super::handle::Handle;
use crate::caught::catch;
use crate::context::{self, Context};
use crate::current::{self, TaskId, WaitsFor, WakerId, budget};
use crate::executor::local_queue::store_unhandled;
use crate::executor::{JoinError, JoinHandle, SpawnOptions, drop_outcome, known_error};
use crate::poll_with::lazy;
use crate::threads::{Call, Inbox};

/// The handle of a task on a loop of another thread; returned by [`Handle::spawn`].
///
/// It can be awaited on any loop and runtime, and [`join`](RemoteHandle::join) blocks until the
/// task ends. If the loop ends before the task does, the outcome is a cancelled [`JoinError`].
///
/// Dropping it detaches the task. The loop reports the panic, or the error, of a task whose handle
/// was dropped, as for a [`JoinHandle`]; also if the task has ended before.
#[must_use = "dropping a RemoteHandle detaches its task: await or join it, or `drop` it to say so"]
pub struct RemoteHandle<T> {
    shared: Arc<Shared<T>>,
    /// The inbox of the task's loop, to detect a `join` on the loop's own thread.
    inbox: Arc<Inbox>,
}

struct Shared<T> {
    spawned_at: &'static Location<'static>,
    /// Returns the error in an output, if the type of the output is known.
    error_in: fn(&T) -> Option<String>,
    state: Mutex<State<T>>,
    /// Signalled when the outcome is stored.
    finished: Condvar,
}

struct State<T> {
    outcome: Option<Result<T, JoinError>>,
    is_finished: bool,
    is_aborted: bool,
    /// The handle was dropped: no caller will take the outcome.
    is_detached: bool,
    /// The waker of the task that awaits the outcome.
    waiter: Option<Waker>,
    /// The task, from the moment of its spawn.
    task: Option<(WakerId, TaskId)>,
}

/// The loop's side of the handle. If it is dropped without an outcome, it stores a cancelled one.
struct Promise<T> {
    shared: Arc<Shared<T>>,
    /// The inbox of the task's loop, to detect that the loop has ended.
    inbox: Arc<Inbox>,
}

impl Handle {
    /// Spawns a task on the loop, from any thread. `f` runs on the loop's thread and returns the
    /// task's future. `f` is `Send`, the future need not be. In the loop itself this is
    /// [`spawn`](crate::spawn()), with a handle that is `Send`.
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
        let shared = Arc::new(Shared {
            spawned_at,
            error_in: known_error,
            state: Mutex::default(),
            finished: Condvar::new(),
        });
        let promise = Promise { shared: shared.clone(), inbox: self.inbox().clone() };
        // `f` is called inside the task, so its panic is the task's.
        if self.is_current() {
            promise.start(lazy(f));
        } else {
            self.call_threadsafe(move || promise.start(lazy(f)));
        }
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

impl<T: 'static> Promise<T> {
    /// Spawns the task. Its end keeps the promise.
    fn start(self, future: impl Future<Output = T> + 'static) {
        let executor = &context::expect("Handle::spawn").executor;
        let task = executor.spawn(future, SpawnOptions::at(self.shared.spawned_at));
        let mut state = self.shared.lock();
        state.task = Some((task.header().waker_id.get(), task.id()));
        let is_aborted = state.is_aborted;
        drop(state);
        if is_aborted {
            task.abort();
        }
        task.at_end(|task| self.complete(task));
    }

    /// Passes the outcome of the task, which has ended, to the handle.
    fn complete(self, task: JoinHandle<T>) {
        let Some(outcome) = task.take_finished() else { return };
        let outcome = match outcome {
            Err(error) if error.is_cancelled() => Err(error.because(self.reason())),
            outcome => outcome,
        };
        // Of a dropped handle. An error is reported as a detached task's.
        let Some(outcome) = self.shared.finish(outcome) else { return };
        if let Some(error) = drop_outcome(task.header(), outcome, self.shared.error_in) {
            context::expect("Handle::spawn").executor.report(error);
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let error = JoinError::not_begun(self.shared.spawned_at, self.reason());
        drop(self.shared.finish(Err(error)));
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
    /// Stores the outcome, unless there is one. Returns it if the handle was dropped.
    fn finish(&self, outcome: Result<T, JoinError>) -> Option<Result<T, JoinError>> {
        let mut state = self.lock();
        if state.is_finished || state.is_detached {
            return Some(outcome);
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
        None
    }

    /// Drops an outcome that no caller will take. Returns the error to report, if there is one: a
    /// panic, also of the output's destructor, or an error in the output.
    fn lost_error(&self, outcome: Result<T, JoinError>) -> Option<JoinError> {
        let output = match outcome {
            Ok(output) => output,
            Err(error) => return Some(error).filter(JoinError::is_panic),
        };
        // The error's `Display` and the destructor are user code.
        let lost = catch(|| {
            let error = (self.error_in)(&output);
            drop(output);
            error
        });
        match lost {
            Ok(error) => error.map(|error| JoinError::failed_outside(self.spawned_at, error)),
            Err(panic) => Some(JoinError::panicked_elsewhere(self.spawned_at, panic)),
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
        let task = state.task;
        drop(state);
        let Some((waker_id, id)) = task else { return };
        self.call_on_loop(move |context| context.executor.abort(waker_id, id));
    }

    /// Calls `f` on the loop of the task: at once if it is the current one. A loop that has ended
    /// drops `f`.
    fn call_on_loop(&self, f: impl FnOnce(&Context) + Send + 'static) {
        let is_own = |context: &Rc<Context>| Arc::ptr_eq(&context.inbox, &self.inbox);
        match context::current().filter(is_own) {
            Some(context) => f(&context),
            None => {
                let function = Box::new(move || f(&context::expect("RemoteHandle")));
                let call = Call { function, called_at: self.shared.spawned_at };
                drop(self.inbox.call(call));
            }
        }
    }

    /// Returns whether the task has ended and its outcome can be taken.
    pub fn is_finished(&self) -> bool {
        self.shared.lock().is_finished
    }
}

impl<T> Future for RemoteHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
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

impl<T> Drop for RemoteHandle<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_detached = true;
        let (outcome, waiter) = (state.outcome.take(), state.waiter.take());
        drop(state);
        drop(waiter);
        if let Some(error) = outcome.and_then(|outcome| self.shared.lost_error(outcome)) {
            self.call_on_loop(|context| store_unhandled(context.name.id, error));
        }
    }
}

impl<T> Default for State<T> {
    fn default() -> State<T> {
        State {
            outcome: None,
            is_finished: false,
            is_aborted: false,
            is_detached: false,
            waiter: None,
            task: None,
        }
    }
}

impl<T> std::fmt::Debug for RemoteHandle<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("RemoteHandle");
        debug.field("is_finished", &self.is_finished()).finish_non_exhaustive()
    }
}
