//! Tasks that are joined in the order in which they were spawned.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::task::{Context, Poll, ready};

use super::join_entry::{Entry, assert_has_output, expect_output};
use crate::current::{TaskId, budget, leaf};
use crate::executor::{AbortHandle, JoinError, JoinHandle, SpawnOptions};

/// Tasks that are joined in the order in which they were spawned: tokio-util's `JoinQueue`.
///
/// They run at the same time. For the order in which they end, use a [`JoinSet`](super::JoinSet).
/// Dropping the queue aborts its tasks.
///
/// ```
/// use evloop::{task::JoinQueue, time};
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     let mut queue = JoinQueue::new();
///     for i in [3, 1, 2] {
///         queue.spawn(async move {
///             time::sleep(Duration::from_millis(i)).await;
///             i
///         });
///     }
///     let mut order = Vec::new();
///     while let Some(i) = queue.join_next().await {
///         order.push(i.unwrap());
///     }
///     assert_eq!(order, [3, 1, 2]);
/// });
/// ```
pub struct JoinQueue<T> {
    tasks: VecDeque<Entry<T>>,
}

impl<T> JoinQueue<T> {
    /// Returns an empty queue.
    pub fn new() -> JoinQueue<T> {
        JoinQueue { tasks: VecDeque::new() }
    }

    /// Returns the number of tasks that were not joined.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Returns whether no task is in the queue.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Waits for the first task, and returns its output. Returns `None` if the queue is empty.
    ///
    /// # Cancel safety
    ///
    /// No output is lost.
    pub fn join_next(&mut self) -> impl Future<Output = Option<Result<T, JoinError>>> {
        leaf(|cx| self.poll_join_next(cx))
    }

    /// Waits for the first task, and returns its id and its output. The error of a task has its id:
    /// [`JoinError::task_id`].
    ///
    /// # Cancel safety
    ///
    /// No output is lost.
    pub fn join_next_with_id(
        &mut self,
    ) -> impl Future<Output = Option<Result<(TaskId, T), JoinError>>> {
        leaf(|cx| self.poll_join_next_with_id(cx))
    }

    /// Polls for the output of the first task. See [`join_next`](JoinQueue::join_next).
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.poll_join_next_with_id(cx).map(|next| Some(next?.map(|(_, output)| output)))
    }

    /// Polls for the id and the output of the first task. See
    /// [`join_next_with_id`](JoinQueue::join_next_with_id).
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(TaskId, T), JoinError>>> {
        let Some(first) = self.tasks.front_mut() else {
            return budget::poll_unit(cx).map(|()| None);
        };
        let output = ready!(first.poll(cx));
        let id = first.id();
        self.tasks.pop_front();
        Poll::Ready(Some(output.map(|output| (id, output))))
    }

    /// Returns the output of the first task, if it has ended.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        let output = self.tasks.front()?.take_finished()?;
        self.tasks.pop_front();
        Some(output)
    }

    /// Returns the id and the output of the first task, if it has ended.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(TaskId, T), JoinError>> {
        let id = self.tasks.front()?.id();
        Some(self.try_join_next()?.map(|output| (id, output)))
    }

    /// Waits for all tasks and returns their outputs in the order in which they were spawned.
    ///
    /// # Panics
    ///
    /// As [`JoinSet::join_all`](super::JoinSet::join_all).
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

    /// Aborts all tasks. They stay in the queue until they are joined.
    pub fn abort_all(&self) {
        self.tasks.iter().for_each(Entry::abort);
    }

    /// Aborts all tasks, waits until their futures are dropped, and removes them from the queue.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the tasks aborted. Those that were not joined stay in the queue.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Detaches all tasks and removes them from the queue. They run on.
    pub fn detach_all(&mut self) {
        self.tasks.clear();
    }
}

impl<T: 'static> JoinQueue<T> {
    /// Spawns a task on the running loop and adds it to the end of the queue.
    ///
    /// # Panics
    ///
    /// Panics outside of a running loop.
    #[track_caller]
    pub fn spawn(&mut self, future: impl Future<Output = T> + 'static) -> AbortHandle {
        self.push(Entry::spawn("JoinQueue::spawn", future, (), SpawnOptions::here()))
    }

    /// Runs `f` on the blocking pool, and adds a task that waits for its output. See
    /// [`JoinSet::spawn_blocking`](super::JoinSet::spawn_blocking).
    ///
    /// # Panics
    ///
    /// Panics outside of a running loop.
    #[track_caller]
    pub fn spawn_blocking(&mut self, f: impl FnOnce() -> T + Send + 'static) -> AbortHandle
    where
        T: Send,
    {
        self.push(Entry::spawn_blocking("JoinQueue::spawn_blocking", f, ()))
    }

    /// Adds a task that was spawned elsewhere to the end of the queue.
    ///
    /// # Panics
    ///
    /// Panics if the handle has returned the output of its task.
    #[track_caller]
    pub fn insert(&mut self, handle: JoinHandle<T>) -> AbortHandle {
        assert_has_output("JoinQueue::insert", &handle);
        self.push(Entry::Task(handle.detach_on_drop()))
    }

    fn push(&mut self, task: Entry<T>) -> AbortHandle {
        let handle = task.abort_handle();
        self.tasks.push_back(task);
        handle
    }
}

impl<T> Drop for JoinQueue<T> {
    fn drop(&mut self) {
        self.abort_all();
    }
}

impl<T> Default for JoinQueue<T> {
    fn default() -> JoinQueue<T> {
        JoinQueue::new()
    }
}

impl<T> fmt::Debug for JoinQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinQueue").field("len", &self.len()).finish()
    }
}
