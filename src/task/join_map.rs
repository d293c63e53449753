//! Tasks by key, joined in the order in which they end.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::task::{Context, Poll};

use super::join_entry::Entry;
use super::members::{Members, Output, Place};
use crate::current::{TaskId, leaf};
use crate::executor::{AbortHandle, JoinError, JoinHandle, SpawnOptions};

/// Tasks by key, joined in the order in which they end: tokio-util's `JoinMap`.
///
/// A key names at most one task: a new task with the same key aborts and replaces the older one.
/// Dropping the map aborts its tasks.
///
/// ```
/// use evloop::task::JoinMap;
///
/// evloop::block_on(async {
///     let mut downloads = JoinMap::new();
///     downloads.spawn("a.html", async { 100 });
///     downloads.spawn("b.html", async { 200 });
///     downloads.spawn("b.html", std::future::pending());
///     assert_eq!(downloads.len(), 2);
///     let (name, size) = downloads.join_next().await.unwrap();
///     assert_eq!((name, size.unwrap()), ("a.html", 100));
///     assert!(downloads.abort("b.html"));
///     let (name, size) = downloads.join_next().await.unwrap();
///     assert!(name == "b.html" && size.unwrap_err().is_cancelled());
/// });
/// ```
pub struct JoinMap<K, V> {
    members: Members<K, V>,
    /// Only searched, never iterated: its order is random.
    places: HashMap<K, Place>,
}

impl<K, V> JoinMap<K, V> {
    /// Returns an empty map.
    pub fn new() -> JoinMap<K, V> {
        JoinMap { members: Members::new(), places: HashMap::new() }
    }

    /// Returns the number of tasks in the map: those that run, and those that have ended and were
    /// not joined.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Returns whether no task is in the map.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the keys of the tasks in the map.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.members.iter().map(|(key, _)| key)
    }

    /// Returns whether the task with this id is in the map.
    pub fn contains_task(&self, id: TaskId) -> bool {
        self.members.iter().any(|(_, task)| task.id() == id)
    }

    /// Aborts the tasks whose keys `matches` returns `true` for. They stay in the map until they
    /// are joined.
    pub fn abort_matching(&self, mut matches: impl FnMut(&K) -> bool) {
        self.members.iter().filter(|(key, _)| matches(key)).for_each(|(_, task)| task.abort());
    }

    /// Aborts all tasks. They stay in the map until they are joined.
    pub fn abort_all(&self) {
        self.members.abort_all();
    }

    /// Detaches all tasks and removes them from the map. They run on.
    pub fn detach_all(&mut self) {
        self.places.clear();
        self.members.detach_all();
    }
}

impl<K: Hash + Eq, V> JoinMap<K, V> {
    /// Waits for the next task that ends, or takes one that has ended. Returns its key and its
    /// output; `None` if the map is empty.
    ///
    /// # Cancel safety
    ///
    /// No output is lost.
    pub fn join_next(&mut self) -> impl Future<Output = Option<(K, Result<V, JoinError>)>> {
        leaf(|cx| self.poll_join_next(cx))
    }

    /// Polls for the next task that ends. See [`join_next`](JoinMap::join_next).
    ///
    /// The map stores the waker of the last call.
    pub fn poll_join_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(K, Result<V, JoinError>)>> {
        self.members.poll_next(cx).map(|next| Some(self.joined(next?)))
    }

    /// Returns the key and the output of a task that has ended, if there is one.
    pub fn try_join_next(&mut self) -> Option<(K, Result<V, JoinError>)> {
        let next = self.members.try_next()?;
        Some(self.joined(next))
    }

    fn joined(&mut self, (key, _, output): Output<K, V>) -> (K, Result<V, JoinError>) {
        self.places.remove(&key);
        (key, output)
    }

    /// Aborts all tasks, waits until their futures are dropped, and removes them from the map.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the tasks aborted. Those that were not joined stay in the map.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Returns whether the map has a task with this key.
    pub fn contains_key<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.places.contains_key(key)
    }

    /// Aborts the task with this key. It stays in the map until it is joined. Returns whether there
    /// is one.
    pub fn abort<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        let task = self.places.get(key).and_then(|&place| self.members.get(place));
        task.map(Entry::abort).is_some()
    }
}

impl<K: Hash + Eq + Clone, V: 'static> JoinMap<K, V> {
    /// Spawns a task on the running loop and adds it to the map. An older task with the same key is
    /// aborted, and its output is dropped.
    ///
    /// # Panics
    ///
    /// Panics outside of a running loop.
    #[track_caller]
    pub fn spawn(&mut self, key: K, future: impl Future<Output = V> + 'static) -> AbortHandle {
        let options = SpawnOptions::here();
        let task = self.members.spawn("JoinMap::spawn", key.clone(), future, options);
        self.replace(key, task)
    }

    /// Runs `f` on the blocking pool, and adds a task that waits for its output. See
    /// [`JoinSet::spawn_blocking`](super::JoinSet::spawn_blocking).
    ///
    /// # Panics
    ///
    /// Panics outside of a running loop.
    #[track_caller]
    pub fn spawn_blocking(&mut self, key: K, f: impl FnOnce() -> V + Send + 'static) -> AbortHandle
    where
        V: Send,
    {
        let task = self.members.spawn_blocking("JoinMap::spawn_blocking", key.clone(), f);
        self.replace(key, task)
    }

    /// Adds a task that was spawned elsewhere. See [`JoinSet::insert`](super::JoinSet::insert).
    ///
    /// # Panics
    ///
    /// Panics if the handle has returned the output of its task, and outside of a running loop
    /// unless the task has ended.
    #[track_caller]
    pub fn insert(&mut self, key: K, handle: JoinHandle<V>) -> AbortHandle {
        let task = self.members.insert("JoinMap::insert", key.clone(), handle);
        self.replace(key, task)
    }

    /// Removes the older task with this key.
    fn replace(&mut self, key: K, (place, task): (Place, AbortHandle)) -> AbortHandle {
        if let Some(older) = self.places.insert(key, place) {
            self.members.remove(older);
        }
        task
    }
}

impl<K, V> Default for JoinMap<K, V> {
    fn default() -> JoinMap<K, V> {
        JoinMap::new()
    }
}

impl<K: fmt::Debug, V> fmt::Debug for JoinMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys()).finish()
    }
}
