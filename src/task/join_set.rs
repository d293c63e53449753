//! A set of tasks that are joined in the order in which they end.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use slab::Slab;

use crate::context;
use crate::current::{self, WaitsFor, budget};
use crate::executor::{AbortHandle, JoinError, JoinHandle, SpawnOptions};
use crate::time::timeout;
use crate::wait::store_waker;

/// A set of tasks that are joined in the order in which they end: asyncio's `as_completed` and
/// `wait`, gevent's `Group`.
///
/// Dropping the set aborts its tasks.
///
/// ```
/// use evloop::{task::JoinSet, time};
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     let mut set = JoinSet::new();
///     for i in [3, 1, 2] {
///         set.spawn(async move {
///             time::sleep(Duration::from_millis(i * 5)).await;
///             i
///         });
///     }
///     let mut order = Vec::new();
///     while let Some(i) = set.join_next().await {
///         order.push(i.unwrap());
///     }
///     assert_eq!(order, [1, 2, 3]);
/// });
/// ```
pub struct JoinSet<T> {
    tasks: Slab<JoinHandle<T>>,
    ended: Rc<Ended>,
}

/// The tasks of a set whose futures were dropped, in that order.
#[derive(Default)]
struct Ended {
    keys: RefCell<VecDeque<usize>>,
    /// The waker of the task that waits in `join_next`.
    waiter: Cell<Option<Waker>>,
}

/// Lies in a task beside its future. Its destructor reports that the task has ended.
struct Member {
    key: usize,
    ended: Rc<Ended>,
}

/// The condition on which [`wait`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnWhen {
    /// When one task has ended: asyncio's `FIRST_COMPLETED`.
    FirstCompleted,
    /// When one task has panicked or was aborted, otherwise when all have ended: asyncio's
    /// `FIRST_EXCEPTION`.
    FirstException,
    /// When all tasks have ended: asyncio's `ALL_COMPLETED`.
    All,
}

impl<T> JoinSet<T> {
    /// Returns an empty set.
    pub fn new() -> JoinSet<T> {
        JoinSet { tasks: Slab::new(), ended: Rc::default() }
    }

    /// Returns the number of tasks in the set: those that run, and those that have ended and were
    /// not joined.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Returns whether no task is in the set.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Waits for the next task that ends, or takes one that has ended, and returns its output.
    /// Returns `None` if the set is empty.
    ///
    /// # Cancel safety
    ///
    /// No output is lost.
    pub fn join_next(&mut self) -> impl Future<Output = Option<Result<T, JoinError>>> {
        poll_fn(|cx| self.poll_join_next(cx))
    }

    /// Polls for the output of the next task that ends. See [`join_next`](JoinSet::join_next).
    ///
    /// The set stores the waker of the last call.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        ready!(budget::poll_left(cx));
        if self.is_empty() {
            budget::spend();
            return Poll::Ready(None);
        }
        if let Some(output) = self.try_join_next() {
            budget::spend();
            return Poll::Ready(Some(output));
        }
        store_waker(&self.ended.waiter, cx.waker());
        // A task's future is dropped a moment before its output is stored, and cloning the waker
        // ran user code, in which a future may have been dropped. So the task is polled for its
        // output.
        let first = self.ended.keys.borrow().front().copied();
        let Some(key) = first else { return current::pending(WaitsFor::Task) };
        let output = ready!(Pin::new(&mut self.tasks[key]).poll(cx));
        self.ended.keys.borrow_mut().pop_front();
        drop(self.tasks.remove(key));
        Poll::Ready(Some(output))
    }

    /// Returns the output of a task that has ended, if there is one.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        let mut keys = self.ended.keys.borrow_mut();
        // A task's future is dropped a moment before its output is stored.
        let has_output = |key: &usize| self.tasks[*key].is_finished();
        let index = keys.iter().position(has_output)?;
        let key = keys.remove(index)?;
        drop(keys);
        self.tasks.remove(key).take_finished()
    }

    /// Waits for all tasks and returns their outputs in the order in which they ended.
    ///
    /// # Panics
    ///
    /// Resumes the panic of the first task that panicked, and panics if a task was aborted. Both
    /// abort the tasks that are left.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: dropping the future aborts the tasks that are left and drops the outputs.
    pub async fn join_all(mut self) -> Vec<T> {
        let mut outputs = Vec::with_capacity(self.len());
        while let Some(output) = self.join_next().await {
            match output.map_err(JoinError::try_into_panic) {
                Ok(output) => outputs.push(output),
                Err(Ok(panic)) => std::panic::resume_unwind(panic),
                Err(Err(error)) => panic!("{error}, and so has no output for join_all"),
            }
        }
        outputs
    }

    /// Aborts all tasks. They stay in the set until they are joined.
    #[doc(alias = "killall")]
    pub fn abort_all(&self) {
        for (_, task) in &self.tasks {
            task.abort();
        }
    }

    /// Detaches all tasks and removes them from the set. They run on.
    pub fn detach_all(&mut self) {
        // The detached tasks report to the old record, which no set reads.
        self.ended = Rc::default();
        let tasks = std::mem::take(&mut self.tasks);
        drop(tasks);
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns a task on the running loop and adds it to the set.
    ///
    /// # Panics
    ///
    /// Panics outside of a running loop.
    #[track_caller]
    pub fn spawn(&mut self, future: impl Future<Output = T> + 'static) -> AbortHandle {
        let options = SpawnOptions::here();
        let context = context::expect("JoinSet::spawn");
        let entry = self.tasks.vacant_entry();
        let member = Member { key: entry.key(), ended: self.ended.clone() };
        let task = async move {
            // A local: so it is dropped after the future that runs.
            let _member = member;
            future.await
        };
        let handle = entry.insert(context.executor.spawn(task, options));
        handle.abort_handle()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.ended.keys.borrow_mut().push_back(self.key);
        if let Some(waiter) = self.ended.waiter.take() {
            waiter.wake();
        }
    }
}

/// Waits for tasks of a set, at most for `limit`, and returns the outputs of those that ended, in
/// the order in which they ended. The other tasks stay in the set and run on.
///
/// The end of the limit is no error: the outputs of the tasks that have ended by then are returned.
///
/// # Cancel safety
///
/// Not cancel safe: dropping the future drops the outputs that it has taken. With
/// [`ReturnWhen::FirstCompleted`] it takes the outputs at the moment at which it completes, so none
/// is lost.
///
/// ```
/// use evloop::task::{self, JoinSet, ReturnWhen};
///
/// evloop::block_on(async {
///     let mut set = JoinSet::new();
///     set.spawn(async { 1 });
///     set.spawn(std::future::pending());
///     let done = task::wait(&mut set, ReturnWhen::FirstCompleted, None).await;
///     assert_eq!((done.len(), set.len()), (1, 1));
/// });
/// ```
pub async fn wait<T>(
    set: &mut JoinSet<T>,
    when: ReturnWhen,
    limit: Option<Duration>,
) -> Vec<Result<T, JoinError>> {
    let mut outputs = Vec::new();
    let enough = async {
        while let Some(output) = set.join_next().await {
            let is_error = output.is_err();
            outputs.push(output);
            match when {
                ReturnWhen::FirstCompleted => break,
                ReturnWhen::FirstException if is_error => break,
                ReturnWhen::FirstException | ReturnWhen::All => {}
            }
        }
    };
    match limit {
        // The tasks that are left in the set show whether the limit was reached.
        Some(limit) => drop(timeout(limit, enough).await),
        None => enough.await,
    }
    outputs.extend(std::iter::from_fn(|| set.try_join_next()));
    outputs
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.abort_all();
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> JoinSet<T> {
        JoinSet::new()
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish_non_exhaustive()
    }
}
