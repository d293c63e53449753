//! A set of tasks, joined as they end.

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
use crate::wait::keep;

/// Tasks of which each is joined when it ends, whichever that is: asyncio's `as_completed` and
/// `wait`.
///
/// Dropping the set aborts the tasks in it.
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
#[doc(alias = "as_completed")]
pub struct JoinSet<T> {
    tasks: Slab<JoinHandle<T>>,
    ended: Rc<Ended>,
}

/// Which tasks of a set have ended.
#[derive(Default)]
struct Ended {
    keys: RefCell<VecDeque<usize>>,
    /// Of who waits for the next.
    waiter: Cell<Option<Waker>>,
}

/// Lies in a task beside its future. Dropped with it, it says that the task has ended.
struct Member {
    key: usize,
    ended: Rc<Ended>,
}

/// When [`wait`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnWhen {
    /// When a task has ended: asyncio's `FIRST_COMPLETED`.
    FirstCompleted,
    /// When a task has panicked or was aborted, else when all have ended: asyncio's
    /// `FIRST_EXCEPTION`.
    FirstException,
    /// When all have ended: asyncio's `ALL_COMPLETED`.
    AllCompleted,
}

impl<T> JoinSet<T> {
    /// An empty set.
    pub fn new() -> JoinSet<T> {
        JoinSet { tasks: Slab::new(), ended: Rc::default() }
    }

    /// How many tasks are in the set: those that run, and those that ended and were not joined.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether no task is in the set.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Takes the output of the next task that ends, or has ended; `None` if the set is empty.
    ///
    /// # Cancel safety
    ///
    /// No output is lost.
    pub fn join_next(&mut self) -> impl Future<Output = Option<Result<T, JoinError>>> {
        poll_fn(|cx| self.poll_join_next(cx))
    }

    /// The next task's output, if one has ended.
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
        keep(&self.ended.waiter, cx.waker());
        // The future of a task is gone a moment before its output is there; and cloning a waker is
        // foreign. So whose future is gone is asked for its output itself.
        let gone = self.ended.keys.borrow().front().copied();
        let Some(key) = gone else { return current::pending(WaitsFor::Task) };
        let output = ready!(Pin::new(&mut self.tasks[key]).poll(cx));
        self.ended.keys.borrow_mut().pop_front();
        drop(self.tasks.remove(key));
        Poll::Ready(Some(output))
    }

    /// Takes the output of a task that has ended, if there is one.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        let mut keys = self.ended.keys.borrow_mut();
        // The future of a task is gone a moment before its output is there.
        let is_over = |key: &usize| self.tasks[*key].is_finished();
        let place = keys.iter().position(is_over)?;
        let key = keys.remove(place)?;
        drop(keys);
        self.tasks.remove(key).take_finished()
    }

    /// Waits for all tasks. Gives their outputs in the order in which they ended.
    ///
    /// # Panics
    ///
    /// With the panic of the first task that panicked; if a task was aborted. The tasks left are
    /// aborted then.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: dropping it aborts the tasks that are left and drops the outputs.
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

    /// Asks for the end of all tasks. They stay in the set until they are joined.
    pub fn abort_all(&self) {
        for (_, task) in &self.tasks {
            task.abort();
        }
    }

    /// Lets all tasks go on by themselves, and forgets them.
    pub fn detach_all(&mut self) {
        self.ended = Rc::default();
        let tasks = std::mem::take(&mut self.tasks);
        drop(tasks);
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns a task on the running loop, into the set.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[track_caller]
    pub fn spawn(&mut self, future: impl Future<Output = T> + 'static) -> AbortHandle {
        let options = SpawnOptions::here();
        let context = context::expect("JoinSet::spawn");
        let entry = self.tasks.vacant_entry();
        let member = Member { key: entry.key(), ended: self.ended.clone() };
        let task = async move {
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

/// Waits for tasks of a set, at most for `limit`; gives the outputs of those that ended, in the
/// order in which they did. The others stay in the set, and go on.
///
/// When the time is up that is no error: what has ended by then is given.
///
/// # Cancel safety
///
/// Not cancel safe: dropping it drops the outputs that it has taken. With
/// [`ReturnWhen::FirstCompleted`] it takes them in the moment in which it completes, and nothing is
/// lost.
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
                ReturnWhen::FirstException | ReturnWhen::AllCompleted => {}
            }
        }
    };
    match limit {
        // Whether the time was up shows in what is left in the set.
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
