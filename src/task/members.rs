//! The tasks of a `JoinSet` or a `JoinMap`, and the order in which they end.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use slab::Slab;

use super::join_entry::{Entry, assert_has_output};
use crate::current::{self, TaskId, WaitsFor, budget};
use crate::executor::{AbortHandle, JoinError, JoinHandle, SpawnOptions};
use crate::wait::store_waker;

/// Tasks, each with a key. Dropping it aborts them.
pub(super) struct Members<K, T> {
    tasks: Slab<Member<K, T>>,
    ended: Rc<Ended>,
    /// The serial number of the next task.
    next: u64,
}

struct Member<K, T> {
    key: K,
    serial: u64,
    task: Entry<T>,
}

/// The key, the id and the output of a task that has ended.
pub(super) type Output<K, T> = (K, TaskId, Result<T, JoinError>);

/// The place of a task in the slab. The serial number distinguishes a task from an earlier
/// one that was removed before it ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    index: usize,
    serial: u64,
}

/// The tasks whose futures were dropped, in that order.
#[derive(Default)]
struct Ended {
    places: RefCell<VecDeque<Place>>,
    /// The number of tasks whose futures were not dropped yet: of their reports.
    running: Cell<usize>,
    /// The waker of the task that waits for the next end.
    waiter: Cell<Option<Waker>>,
}

/// Lies in a task beside its future. Its destructor reports that the task has ended.
pub(super) struct EndReport {
    place: Place,
    ended: Rc<Ended>,
}

impl<K, T> Members<K, T> {
    pub(super) fn new() -> Members<K, T> {
        Members { tasks: Slab::new(), ended: Rc::default(), next: 0 }
    }

    /// Returns the number of tasks: those that run, and those that have ended and were not joined.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Returns the number of tasks that have not ended.
    pub(super) fn running(&self) -> usize {
        self.ended.running.get()
    }

    /// Returns the keys and the tasks.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &Entry<T>)> {
        self.tasks.iter().map(|(_, member)| (&member.key, &member.task))
    }

    pub(super) fn get(&self, place: Place) -> Option<&Entry<T>> {
        Some(&self.member(place)?.task)
    }

    fn member(&self, place: Place) -> Option<&Member<K, T>> {
        self.tasks.get(place.index).filter(|member| member.serial == place.serial)
    }

    /// Polls for the next task that ends. Ready with `None` if there is no task.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Output<K, T>>> {
        ready!(budget::poll_left(cx));
        if self.tasks.is_empty() {
            budget::spend();
            return Poll::Ready(None);
        }
        if let Some(output) = self.try_next() {
            budget::spend();
            return Poll::Ready(Some(output));
        }
        store_waker(&self.ended.waiter, cx.waker());
        // A task's future is dropped a moment before its output is stored, and cloning the waker
        // ran user code, in which a future may have been dropped. So the task is polled for its
        // output.
        let Some(place) = self.first_ended() else { return current::pending(WaitsFor::Task) };
        let output = ready!(self.tasks[place.index].task.poll(cx));
        self.ended.places.borrow_mut().pop_front();
        let Member { key, task, .. } = self.tasks.remove(place.index);
        Poll::Ready(Some((key, task.id(), output)))
    }

    /// Returns the output of a task that has ended, if there is one.
    pub(super) fn try_next(&mut self) -> Option<Output<K, T>> {
        loop {
            let mut places = self.ended.places.borrow_mut();
            // A task's future is dropped a moment before its output is stored. A task that was
            // removed has no output.
            let is_over = |&place: &Place| self.get(place).is_none_or(Entry::is_finished);
            let index = places.iter().position(is_over)?;
            let place = if index == 0 { places.pop_front() } else { places.remove(index) }?;
            drop(places);
            if self.member(place).is_some() {
                let Member { key, task, .. } = self.tasks.remove(place.index);
                return Some((key, task.id(), task.take_finished()?));
            }
        }
    }

    /// Returns the first task that has ended, and forgets those before it that were removed.
    fn first_ended(&self) -> Option<Place> {
        let mut places = self.ended.places.borrow_mut();
        loop {
            let first = *places.front()?;
            if self.member(first).is_some() {
                return Some(first);
            }
            places.pop_front();
        }
    }

    /// Completes once fewer than `limit` tasks run.
    pub(super) fn poll_below(&mut self, limit: usize, cx: &mut Context<'_>) -> Poll<()> {
        if self.running() >= limit {
            store_waker(&self.ended.waiter, cx.waker());
        }
        // Checked again: cloning the waker ran user code.
        if self.running() >= limit {
            return current::pending(WaitsFor::Task);
        }
        budget::poll_unit(cx)
    }

    /// Aborts a task and removes it.
    pub(super) fn remove(&mut self, place: Place) {
        if self.member(place).is_some() {
            let member = self.tasks.remove(place.index);
            member.task.abort();
            drop(member);
        }
    }

    pub(super) fn abort_all(&self) {
        for (_, member) in &self.tasks {
            member.task.abort();
        }
    }

    /// Detaches all tasks and removes them. They run on.
    pub(super) fn detach_all(&mut self) {
        // The detached tasks report to the old record, which is read no more.
        self.ended = Rc::default();
        let tasks = mem::take(&mut self.tasks);
        drop(tasks);
    }
}

impl<K, T: 'static> Members<K, T> {
    #[track_caller]
    pub(super) fn spawn(
        &mut self,
        what: &str,
        key: K,
        future: impl Future<Output = T> + 'static,
        options: SpawnOptions,
    ) -> (Place, AbortHandle) {
        let report = self.report();
        let place = report.place;
        let task = Entry::spawn(what, future, report, options);
        (place, self.add(place, key, task))
    }

    #[track_caller]
    pub(super) fn spawn_blocking(
        &mut self,
        what: &str,
        key: K,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> (Place, AbortHandle)
    where
        T: Send,
    {
        let report = self.report();
        let place = report.place;
        let task = Entry::spawn_blocking(what, f, report);
        (place, self.add(place, key, task))
    }

    #[track_caller]
    pub(super) fn insert(
        &mut self,
        what: &str,
        key: K,
        handle: JoinHandle<T>,
    ) -> (Place, AbortHandle) {
        assert_has_output(what, &handle);
        let handle = handle.detach_on_drop();
        let report = self.report();
        let place = report.place;
        let task = if handle.is_finished() {
            // It ended before this call, and so before all tasks that end from now on.
            drop(report);
            Entry::Task(handle)
        } else {
            Entry::insert(what, handle, report)
        };
        (place, self.add(place, key, task))
    }

    /// Returns the report of the next task.
    fn report(&mut self) -> EndReport {
        self.next += 1;
        self.ended.running.set(self.ended.running.get() + 1);
        let place = Place { index: self.tasks.vacant_key(), serial: self.next };
        EndReport { place, ended: self.ended.clone() }
    }

    fn add(&mut self, place: Place, key: K, task: Entry<T>) -> AbortHandle {
        let handle = task.abort_handle();
        let index = self.tasks.insert(Member { key, serial: place.serial, task });
        debug_assert_eq!(index, place.index);
        handle
    }
}

impl Drop for EndReport {
    fn drop(&mut self) {
        self.ended.running.set(self.ended.running.get() - 1);
        self.ended.places.borrow_mut().push_back(self.place);
        if let Some(waiter) = self.ended.waiter.take() {
            waiter.wake();
        }
    }
}

impl<K, T> Drop for Members<K, T> {
    fn drop(&mut self) {
        self.abort_all();
    }
}
