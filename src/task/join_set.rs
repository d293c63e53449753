//! A set of tasks that are joined in the order in which they end.

use std::fmt;
use std::future::Future;
use std::task::{Context, Poll};

use super::join_entry::expect_output;
use super::members::{Members, Output};
use crate::context;
use crate::current::{TaskId, leaf};
use crate::executor::{AbortHandle, JoinError, JoinHandle, SpawnOptions};

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
    members: Members<(), T>,
}

impl<T> JoinSet<T> {
    /// Returns an empty set.
    pub fn new() -> JoinSet<T> {
        JoinSet { members: Members::new() }
    }

    /// Returns the number of tasks in the set: those that run, and those that have ended and were
    /// not joined.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Returns the number of tasks that have not ended.
    #[doc(alias = "free_count")]
    pub fn running(&self) -> usize {
        self.members.running()
    }

    /// Returns whether no task is in the set.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits for the next task that ends, or takes one that has ended, and returns its output.
    /// Returns `None` if the set is empty.
    ///
    /// # Cancel safety
    ///
    /// No output is lost.
    pub fn join_next(&mut self) -> impl Future<Output = Option<Result<T, JoinError>>> {
        leaf(|cx| self.poll_join_next(cx))
    }

    /// Polls for the output of the next task that ends. See [`join_next`](JoinSet::join_next).
    ///
    /// The set stores the waker of the last call.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.poll_join_next_with_id(cx).map(|next| Some(next?.map(|(_, output)| output)))
    }

    /// Polls for the id and the output of the next task that ends.
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(TaskId, T), JoinError>>> {
        self.members.poll_next(cx).map(|next| Some(with_id(next?)))
    }

    /// Waits like [`join_next`](JoinSet::join_next), and returns the id of the task, too. The error
    /// of a task has its id: [`JoinError::task_id`].
    ///
    /// # Cancel safety
    ///
    /// No output is lost.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let mut set = evloop::task::JoinSet::new();
    ///     let task = set.spawn(async { 7 });
    ///     assert_eq!(set.join_next_with_id().await.unwrap().unwrap(), (task.id(), 7));
    /// });
    /// ```
    pub fn join_next_with_id(
        &mut self,
    ) -> impl Future<Output = Option<Result<(TaskId, T), JoinError>>> {
        leaf(|cx| self.poll_join_next_with_id(cx))
    }

    /// Returns the output of a task that has ended, if there is one.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        Some(self.members.try_next()?.2)
    }

    /// Returns the id and the output of a task that has ended, if there is one.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(TaskId, T), JoinError>> {
        Some(with_id(self.members.try_next()?))
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
            outputs.push(expect_output(output));
        }
        outputs
    }

    /// Aborts all tasks. They stay in the set until they are joined.
    #[doc(alias = "killall")]
    pub fn abort_all(&self) {
        self.members.abort_all();
    }

    /// [Aborts](JoinSet::abort_all) all tasks, waits until their futures are dropped, and removes
    /// them from the set. Panics and outputs are dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the tasks aborted. Those that were not joined stay in the set.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let mut set = evloop::task::JoinSet::new();
    ///     set.spawn(std::future::pending::<()>());
    ///     set.shutdown().await;
    ///     assert!(set.is_empty());
    /// });
    /// ```
    #[doc(alias = "killall")]
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Detaches all tasks and removes them from the set. They run on.
    pub fn detach_all(&mut self) {
        self.members.detach_all();
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns a task on the running loop and adds it to the set. For a task with a name, see
    /// [`Builder::spawn_in`](super::Builder::spawn_in).
    ///
    /// # Panics
    ///
    /// Panics outside of a running loop.
    #[track_caller]
    pub fn spawn(&mut self, future: impl Future<Output = T> + 'static) -> AbortHandle {
        self.spawn_as(future, SpawnOptions::here())
    }

    #[track_caller]
    pub(super) fn spawn_as(
        &mut self,
        future: impl Future<Output = T> + 'static,
        options: SpawnOptions,
    ) -> AbortHandle {
        self.members.spawn("JoinSet::spawn", (), future, options).1
    }

    /// Waits until fewer than `limit` tasks of the set run, then spawns a task: gevent's
    /// `Pool.spawn`. Tasks that have ended and were not joined do not count.
    ///
    /// Where several tasks spawn, use a [`Semaphore`](crate::sync::Semaphore) of `limit` permits:
    /// `acquire_owned` before each spawn, and move the permit into the task.
    ///
    /// # Panics
    ///
    /// Panics if `limit` is 0, or outside of a running loop.
    ///
    /// # Cancel safety
    ///
    /// Dropping the returned future before it completes drops `future`, which was not spawned.
    ///
    /// ```
    /// use evloop::task::{JoinSet, yield_now};
    ///
    /// evloop::block_on(async {
    ///     let mut set = JoinSet::new();
    ///     for i in 0..10 {
    ///         set.spawn_limited(3, async move {
    ///             yield_now().await;
    ///             i
    ///         })
    ///         .await;
    ///         assert!(set.running() <= 3);
    ///     }
    ///     assert_eq!(set.join_all().await.len(), 10);
    /// });
    /// ```
    #[doc(alias = "wait_available")]
    #[track_caller]
    pub fn spawn_limited(
        &mut self,
        limit: usize,
        future: impl Future<Output = T> + 'static,
    ) -> impl Future<Output = AbortHandle> {
        assert!(limit > 0, "JoinSet::spawn_limited needs a limit above 0: no task could run");
        context::expect("JoinSet::spawn_limited");
        let options = SpawnOptions::here();
        async move {
            leaf(|cx| self.members.poll_below(limit, cx)).await;
            self.spawn_as(future, options)
        }
    }

    /// Runs `f` on the blocking pool, as [`spawn_blocking`](super::spawn_blocking()) does, and adds
    /// a task to the set that waits for its output.
    ///
    /// Aborting the task cancels the work if it has not begun. Work that has begun runs on, and its
    /// output is dropped.
    ///
    /// # Panics
    ///
    /// Panics outside of a running loop.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let mut set = evloop::task::JoinSet::new();
    ///     set.spawn(async { 1 });
    ///     set.spawn_blocking(|| 2);
    ///     assert_eq!(set.join_all().await.into_iter().sum::<i32>(), 3);
    /// });
    /// ```
    #[track_caller]
    pub fn spawn_blocking(&mut self, f: impl FnOnce() -> T + Send + 'static) -> AbortHandle
    where
        T: Send,
    {
        self.members.spawn_blocking("JoinSet::spawn_blocking", (), f).1
    }

    /// Adds a task that was spawned elsewhere: gevent's `Group.add`. The set owns it from now on,
    /// and aborts it when the set is dropped.
    ///
    /// A second task reports the end of this one to the set. So the task may be joined a turn later
    /// than one that the set has spawned.
    ///
    /// # Panics
    ///
    /// Panics if the handle has returned the output of its task, and outside of a running loop
    /// unless the task has ended.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let task = evloop::spawn(async { 7 });
    ///     let mut set = evloop::task::JoinSet::new();
    ///     set.insert(task);
    ///     assert_eq!(set.join_next().await.unwrap().unwrap(), 7);
    /// });
    /// ```
    #[doc(alias = "add")]
    #[track_caller]
    pub fn insert(&mut self, handle: JoinHandle<T>) -> AbortHandle {
        self.members.insert("JoinSet::insert", (), handle).1
    }
}

/// Spawns each future as a task of the set.
impl<F: Future<Output = T> + 'static, T: 'static> Extend<F> for JoinSet<T> {
    #[track_caller]
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        let options = SpawnOptions::here();
        for future in futures {
            self.spawn_as(future, options.clone());
        }
    }
}

/// Spawns each future as a task of a new set. `collect` hides the place of the spawn from
/// [`TaskInfo::spawned_at`](super::TaskInfo::spawned_at); `JoinSet::from_iter` does not.
///
/// ```
/// use evloop::task::JoinSet;
///
/// evloop::block_on(async {
///     let set: JoinSet<_> = (1..=3).map(|i| async move { i * i }).collect();
///     assert_eq!(set.join_all().await, [1, 4, 9]);
/// });
/// ```
impl<F: Future<Output = T> + 'static, T: 'static> FromIterator<F> for JoinSet<T> {
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> JoinSet<T> {
        let mut set = JoinSet::new();
        set.extend(futures);
        set
    }
}

fn with_id<T>((_, id, output): Output<(), T>) -> Result<(TaskId, T), JoinError> {
    output.map(|output| (id, output))
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
