//! What each task of a snapshot waits on, found out from the wakers.
//!
//! Whatever will wake a task holds a waker of it, and a waker of this crate names its task. So the
//! one pass over a snapshot that collects the wakers answers the question for all its tasks.

use std::time::Instant;

use super::snapshot::{Snapshot, TaskRecord};
use crate::current::{TaskId, WaitsFor, WakerId};
use crate::order::sort_by_first;
use crate::sys::Descriptor;

/// One of the things that a task waits on; see [`TaskInfo::waits_on`](crate::task::TaskInfo).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitsOn {
    /// The end of a task.
    Task(TaskId),
    /// The end of a child, in a scope of the task.
    Child(TaskId),
    /// A timer: the instant at which it is due.
    Timer(Instant),
    /// A descriptor that becomes readable: a `RawFd`, on Windows a `RawSocket`.
    Read(Descriptor),
    /// A descriptor that becomes writable.
    Write(Descriptor),
    /// A lock. It is known in [debug mode](crate::runtime::Builder::debug).
    Lock {
        /// The type of the lock, such as `Mutex`.
        kind: &'static str,
        /// The tasks that locked it. A guard may have moved to another task since.
        holders: Vec<TaskId>,
    },
}

/// What will wake the tasks of a snapshot.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    /// By the word of the waker.
    of_wakers: Pairs,
    /// The children of scopes, by the numbers of their parents.
    children: Pairs,
}

/// Values, found by keys. There may be one for each task: a map would allocate for each.
#[derive(Debug, Default)]
struct Pairs {
    values: Vec<WaitsOn>,
    /// Keys and indices of values, sorted by the keys.
    order: Vec<(u64, u32)>,
}

impl Edges {
    /// Finds out what the wakers in a snapshot wait on.
    pub(crate) fn of(snapshot: &Snapshot) -> Edges {
        let mut edges = Edges::default();
        for task in &snapshot.tasks {
            edges.add(task.waiter, WaitsOn::Task(task.id));
            if let Some(parent) = task.parent.filter(|_| task.is_child) {
                edges.children.push(parent.number(), WaitsOn::Child(task.id));
            }
        }
        for source in &snapshot.sources {
            let descriptor = source.descriptor;
            source.readers.iter().for_each(|id| edges.add(*id, WaitsOn::Read(descriptor)));
            source.writers.iter().for_each(|id| edges.add(*id, WaitsOn::Write(descriptor)));
        }
        for timer in &snapshot.timers {
            edges.add(timer.waiter, WaitsOn::Timer(timer.deadline));
        }
        sort_by_first(&mut edges.of_wakers.order);
        sort_by_first(&mut edges.children.order);
        edges
    }

    fn add(&mut self, waiter: Option<WakerId>, on: WaitsOn) {
        if let Some(waiter) = waiter {
            self.of_wakers.push(waiter.word() as u64, on);
        }
    }

    /// Returns what a task waits on. Empty if that is not known: then something holds a waker of
    /// another crate, or waits in a list that knows no descriptor, such as a channel.
    pub(crate) fn of_task(&self, task: &TaskRecord) -> Vec<WaitsOn> {
        let mut all = Vec::new();
        for lock in &task.locks {
            all.push(WaitsOn::Lock { kind: lock.kind, holders: lock.holders.clone() });
        }
        self.of_wakers.copy(task.waker_id.word() as u64, &mut all);
        let is_join = |on: &WaitsOn| matches!(on, WaitsOn::Task(_));
        if task.waits_for == Some(WaitsFor::Task) && !all.iter().any(is_join) {
            self.children.copy(task.id.number(), &mut all);
        }
        all
    }
}

impl Pairs {
    fn push(&mut self, key: u64, value: WaitsOn) {
        let index = self.values.len().try_into().expect("slots of tasks have less than 32 bits");
        self.order.push((key, index));
        self.values.push(value);
    }

    /// Copies the values of a key to the end of `into`, in the order in which they were added.
    fn copy(&self, key: u64, into: &mut Vec<WaitsOn>) {
        let begin = self.order.partition_point(|(other, _)| *other < key);
        for (_, index) in self.order[begin..].iter().take_while(|(other, _)| *other == key) {
            into.push(self.values[*index as usize].clone());
        }
    }
}

impl WaitsOn {
    /// Returns the kind of what is waited on.
    pub(crate) fn kind(&self) -> WaitsFor {
        match self {
            WaitsOn::Task(_) | WaitsOn::Child(_) => WaitsFor::Task,
            WaitsOn::Timer(_) => WaitsFor::Time,
            WaitsOn::Read(_) | WaitsOn::Write(_) => WaitsFor::Io,
            WaitsOn::Lock { .. } => WaitsFor::Lock,
        }
    }

    /// Returns the tasks that must act before the wait can end.
    pub(crate) fn tasks(&self) -> &[TaskId] {
        match self {
            WaitsOn::Task(task) | WaitsOn::Child(task) => std::slice::from_ref(task),
            WaitsOn::Lock { holders, .. } => holders,
            WaitsOn::Timer(_) | WaitsOn::Read(_) | WaitsOn::Write(_) => &[],
        }
    }
}
