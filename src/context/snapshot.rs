//! A copy of a loop's tasks, timers and sources, made in pieces.
//!
//! A piece is made on the loop's thread while no task runs, and is [`Send`]. Between two pieces the
//! loop may run turns. Each task, timer and source that lives all the time is in one piece. What
//! one waits for is found out afterwards, from the wakers: see [`edges`](super::edges). Invariant:
//! a piece calls no user code.

use std::panic::Location;
use std::time::Instant;

use crate::current::debug::shown;
use crate::current::locks::{self, LockWait};
use crate::current::{TaskId, WaitsFor, WakerId};
use crate::executor::{Executor, TaskInfo, TaskState, woken_by};
use crate::order;
use crate::reactor::{Direction, Reactor};
use crate::sys::Descriptor;

/// The number of slots of tasks, of timers or of sources that one piece looks at. That takes about
/// 0.03 ms.
pub(crate) const PIECE: u32 = 512;

/// The copies of one or more pieces.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) tasks: Vec<TaskRecord>,
    pub(crate) timers: Vec<TimerRecord>,
    pub(crate) sources: Vec<SourceRecord>,
}

/// A copy of a task's record.
#[derive(Debug)]
pub(crate) struct TaskRecord {
    pub(crate) id: TaskId,
    /// What its wakers name: slot and generation.
    pub(crate) waker_id: WakerId,
    pub(crate) name: Option<Box<str>>,
    pub(crate) spawned_at: &'static Location<'static>,
    pub(crate) parent: Option<TaskId>,
    /// Its scope is in the task `parent`, or in a task above it.
    pub(crate) is_child: bool,
    pub(crate) state: TaskState,
    pub(crate) polls: u32,
    pub(crate) waits_for: Option<WaitsFor>,
    pub(crate) waits_at: Option<&'static Location<'static>>,
    /// The task that awaits its output.
    pub(crate) waiter: Option<WakerId>,
    /// The locks for which it waits, if they are recorded.
    pub(crate) locks: Vec<LockWait>,
}

/// A timer, and the task that it will wake. `None`: a waker of another crate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimerRecord {
    pub(crate) deadline: Instant,
    pub(crate) waiter: Option<WakerId>,
}

/// A registered socket, pipe or descriptor, and the tasks that it will wake.
#[derive(Debug)]
pub(crate) struct SourceRecord {
    pub(crate) descriptor: Descriptor,
    pub(crate) readers: Vec<Option<WakerId>>,
    pub(crate) writers: Vec<Option<WakerId>>,
}

/// The tables of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Tasks,
    Timers,
    Sources,
}

/// Walks over the tables of a loop, piece by piece.
#[derive(Debug)]
pub(crate) struct Scan {
    /// The tables to walk over, the next one last.
    parts: Vec<Part>,
    /// The next index in that table.
    cursor: u32,
}

impl Scan {
    /// Makes a walk over some of the tables.
    pub(crate) fn new(parts: &[Part]) -> Scan {
        let mut parts = parts.to_vec();
        parts.reverse();
        Scan { parts, cursor: 0 }
    }

    /// Makes a walk over all tables.
    pub(crate) fn all() -> Scan {
        Scan::new(&[Part::Tasks, Part::Timers, Part::Sources])
    }

    /// Copies the next piece to the end of `into`. Returns whether more pieces are left.
    pub(crate) fn copy_piece(
        &mut self,
        executor: &Executor,
        reactor: &Reactor,
        into: &mut Snapshot,
    ) -> bool {
        let Some(part) = self.parts.last() else { return false };
        let (from, to) = (self.cursor, self.cursor.saturating_add(PIECE));
        let is_inside = match part {
            Part::Tasks => into.copy_tasks(executor, from, to),
            Part::Timers => into.copy_timers(reactor, from, to),
            Part::Sources => into.copy_sources(reactor, from, to),
        };
        self.cursor = to;
        if !is_inside {
            self.parts.pop();
            self.cursor = 0;
        }
        !self.parts.is_empty()
    }
}

impl Snapshot {
    /// Copies the whole loop at once, the tasks in the order in which they were spawned.
    pub(crate) fn of(executor: &Executor, reactor: &Reactor) -> Snapshot {
        let (mut snapshot, mut scan) = (Snapshot::default(), Scan::all());
        while scan.copy_piece(executor, reactor, &mut snapshot) {}
        order::sort(&mut snapshot.tasks, |task| task.id.number());
        snapshot
    }

    /// Returns the index of a task in a copy of the whole loop.
    pub(crate) fn index_of(&self, task: TaskId) -> Option<usize> {
        self.tasks.binary_search_by_key(&task, |task| task.id).ok()
    }

    fn copy_tasks(&mut self, executor: &Executor, from: u32, to: u32) -> bool {
        let Some(infos) = executor.infos_in(from..to) else { return false };
        for info in &infos {
            self.tasks.push(TaskRecord::of(info));
        }
        true
    }

    fn copy_timers(&mut self, reactor: &Reactor, from: u32, to: u32) -> bool {
        reactor.scan_timers(from as usize..to as usize, |deadline, waker| {
            self.timers.push(TimerRecord { deadline, waiter: woken_by(waker) });
        })
    }

    fn copy_sources(&mut self, reactor: &Reactor, from: u32, to: u32) -> bool {
        reactor.scan_sources(from as usize..to as usize, |descriptor, source| {
            let waiters = |direction| {
                let mut waiters = Vec::new();
                source.scan(direction, &mut |waker| waiters.push(woken_by(waker)));
                waiters
            };
            let (readers, writers) = (waiters(Direction::Read), waiters(Direction::Write));
            self.sources.push(SourceRecord { descriptor, readers, writers });
        })
    }
}

impl TaskRecord {
    fn of(info: &TaskInfo) -> TaskRecord {
        TaskRecord {
            id: info.id(),
            waker_id: info.waker_id(),
            name: info.name().map(shown).map(Box::from),
            spawned_at: info.spawned_at(),
            parent: info.parent(),
            is_child: info.is_child(),
            state: info.state(),
            polls: info.polls(),
            waits_for: info.waits_for(),
            waits_at: info.waits_at(),
            waiter: info.waiter(),
            locks: locks::waits_of(info.id()),
        }
    }
}
