//! L4: work that would block the loop, on the loop's helper threads.
//!
//! Everything that needs another thread goes through [`submit`]: names, files, stdin. Invariant: a
//! future made here completes when its work ends, also by a panic, and when the pool drops it.

use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

use crate::context;

/// What the thread and the future share.
struct Slot<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    outcome: Option<thread::Result<T>>,
    /// The thread is done; without an outcome: it never ran the work.
    is_done: bool,
    waiter: Option<Waker>,
}

/// The thread's end. Dropped, it leaves an outcome.
struct Finisher<T>(Arc<Slot<T>>);

/// Runs `work` on a helper thread of the running loop. It starts now; dropping the future does not
/// stop it. A panic of `work` comes out of the future.
///
/// # Errors
///
/// If no helper thread can be started, or the loop ended before the work began.
///
/// # Panics
///
/// Outside of a running loop.
#[track_caller]
pub(crate) fn submit<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = io::Result<T>> {
    let context = context::expect("an operation that needs a helper thread");
    let state = State { outcome: None, is_done: false, waiter: None };
    let slot = Arc::new(Slot { state: Mutex::new(state) });
    let finisher = Finisher(slot.clone());
    let submitted = context.pool.submit(Box::new(move || {
        let outcome = catch_unwind(AssertUnwindSafe(work));
        finisher.0.lock().outcome = Some(outcome);
    }));
    async move {
        submitted?;
        let outcome = poll_fn(|cx| {
            let waker = cx.waker().clone();
            let mut state = slot.lock();
            if state.is_done {
                return Poll::Ready(state.outcome.take());
            }
            let old = state.waiter.replace(waker);
            drop(state);
            drop(old);
            Poll::Pending
        });
        match outcome.await {
            Some(outcome) => Ok(outcome.unwrap_or_else(|payload| resume_unwind(payload))),
            None => Err(io::Error::other("the event loop ended before the blocking work began")),
        }
    }
}

impl<T> Slot<T> {
    fn lock(&self) -> std::sync::MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Finisher<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_done = true;
        let waiter = state.waiter.take();
        drop(state);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}
