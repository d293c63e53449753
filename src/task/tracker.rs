//! Counts tasks that are spawned anywhere, and waits until none is left.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::rc::Rc;

use crate::context;
use crate::current::budget;
use crate::executor::{JoinHandle, SpawnOptions};
use crate::poll_with::drop_after;
use crate::sync::Notify;

/// Counts tasks, and waits until none is left: tokio-util's `TaskTracker`. A clone is the same
/// tracker.
///
/// It stores no task and no output: use it where tasks are spawned and forgotten, and a shutdown
/// waits for their ends. Use a [`scope`](super::scope()) where the tasks belong to one function, a
/// [`JoinSet`](super::JoinSet) where their outputs matter.
///
/// ```
/// use evloop::task::{TaskTracker, yield_now};
///
/// evloop::block_on(async {
///     let tracker = TaskTracker::new();
///     for _ in 0..10 {
///         drop(tracker.spawn(yield_now()));
///     }
///     assert_eq!(tracker.len(), 10);
///     tracker.close();
///     tracker.wait().await;
///     assert!(tracker.is_empty());
/// });
/// ```
#[derive(Clone, Default)]
pub struct TaskTracker {
    tracked: Rc<Tracked>,
}

/// Counts as a task of a [`TaskTracker`] until it is dropped. So does each clone.
#[must_use = "a token is counted until it is dropped"]
pub struct TaskTrackerToken {
    tracked: Rc<Tracked>,
}

#[derive(Default)]
struct Tracked {
    len: Cell<usize>,
    is_closed: Cell<bool>,
    /// Notifies the waiting tasks when the tracker is closed and empty.
    ended: Notify,
}

impl TaskTracker {
    /// Returns a tracker without tasks. It is open.
    pub fn new() -> TaskTracker {
        TaskTracker::default()
    }

    /// Waits until the tracker is [closed](TaskTracker::close) and empty.
    ///
    /// The future completes once that is so at any time after this call, even if the tracker is
    /// reopened before the future is polled.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub fn wait(&self) -> impl Future<Output = ()> {
        let ended = (!self.tracked.has_ended()).then(|| self.tracked.ended.notified());
        async move {
            match ended {
                Some(ended) => ended.await,
                None => budget::unit().await,
            }
        }
    }

    /// Closes the tracker: it can end [`wait`](TaskTracker::wait). New tasks are still counted.
    /// Returns whether it was open.
    pub fn close(&self) -> bool {
        let was_open = !self.tracked.is_closed.replace(true);
        if was_open {
            self.tracked.check_end();
        }
        was_open
    }

    /// Reopens the tracker. Returns whether it was closed.
    pub fn reopen(&self) -> bool {
        self.tracked.is_closed.replace(false)
    }

    /// Returns whether the tracker is closed.
    pub fn is_closed(&self) -> bool {
        self.tracked.is_closed.get()
    }

    /// Returns the number of tracked futures and tokens.
    pub fn len(&self) -> usize {
        self.tracked.len.get()
    }

    /// Returns whether nothing is tracked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Spawns a task on the running loop, and counts it until its future is dropped.
    ///
    /// # Panics
    ///
    /// Panics outside of a running loop.
    #[track_caller]
    pub fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        let context = context::expect("TaskTracker::spawn");
        context.executor.spawn(self.track_future(future), SpawnOptions::here())
    }

    /// Returns a future that is counted from now until it is dropped. Spawn it anywhere.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let tracker = evloop::task::TaskTracker::new();
    ///     let task = evloop::spawn(tracker.track_future(async { 7 }));
    ///     assert_eq!(tracker.len(), 1);
    ///     assert_eq!(task.await.unwrap(), 7);
    ///     assert!(tracker.is_empty());
    /// });
    /// ```
    #[doc(alias = "TrackedFuture")]
    pub fn track_future<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        drop_after(future, self.token())
    }

    /// Returns a token that is counted until it is dropped.
    pub fn token(&self) -> TaskTrackerToken {
        TaskTrackerToken::new(&self.tracked)
    }

    /// Returns whether both are the same tracker.
    pub fn ptr_eq(&self, other: &TaskTracker) -> bool {
        Rc::ptr_eq(&self.tracked, &other.tracked)
    }
}

impl TaskTrackerToken {
    fn new(tracked: &Rc<Tracked>) -> TaskTrackerToken {
        tracked.len.set(tracked.len.get() + 1);
        TaskTrackerToken { tracked: tracked.clone() }
    }

    /// Returns the tracker that counts the token.
    pub fn task_tracker(&self) -> TaskTracker {
        TaskTracker { tracked: self.tracked.clone() }
    }
}

impl Tracked {
    fn has_ended(&self) -> bool {
        self.is_closed.get() && self.len.get() == 0
    }

    fn check_end(&self) {
        if self.has_ended() {
            self.ended.notify_waiters();
        }
    }
}

impl Clone for TaskTrackerToken {
    fn clone(&self) -> TaskTrackerToken {
        TaskTrackerToken::new(&self.tracked)
    }
}

impl Drop for TaskTrackerToken {
    fn drop(&mut self) {
        self.tracked.len.set(self.tracked.len.get() - 1);
        self.tracked.check_end();
    }
}

impl fmt::Debug for TaskTracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TaskTracker");
        debug.field("len", &self.len()).field("is_closed", &self.is_closed()).finish()
    }
}

impl fmt::Debug for TaskTrackerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskTrackerToken").finish_non_exhaustive()
    }
}
