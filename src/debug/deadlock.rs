//! Cycles of tasks that wait for each other: by joins, scopes and locks.
//!
//! A task is stuck if what it waits on needs a stuck task, and if nothing else can wake it. The
//! search begins with all tasks that wait on tasks only, and removes those that are not stuck,
//! until none is left to remove. Invariant: a task with a timer, a socket or anything unknown is
//! not stuck, so what is reported lasts for ever, unless a future of another crate that is polled
//! beside the one that waits ends the wait.

use std::collections::{BTreeMap, BTreeSet};

use crate::context::{Edges, Snapshot, TaskRecord, WaitsOn};
use crate::current::{TaskId, WaitsFor};
use crate::executor::TaskState;

/// The tasks that each task of a cycle waits on.
type Waits = BTreeMap<TaskId, Vec<TaskId>>;

/// Returns the cycles, each in the order of its waits, the lowest id first.
pub(crate) fn deadlocks(snapshot: &Snapshot, edges: &Edges) -> Vec<Vec<TaskId>> {
    let mut stuck: Waits =
        snapshot.tasks.iter().filter_map(|task| Some((task.id, waits(task, edges)?))).collect();
    loop {
        let free = |on: &[TaskId]| !on.iter().any(|task| stuck.contains_key(task));
        let freed: Vec<_> =
            stuck.iter().filter(|(_, on)| free(on)).map(|(task, _)| *task).collect();
        if freed.is_empty() {
            return cycles(&stuck);
        }
        freed.iter().for_each(|task| drop(stuck.remove(task)));
    }
}

/// Returns the tasks that a task waits on; `None` if it does not wait, or if something else may
/// wake it.
fn waits(task: &TaskRecord, edges: &Edges) -> Option<Vec<TaskId>> {
    let on = edges.of_task(task);
    let is_certain = task.locks.iter().all(|lock| !lock.may_move);
    let is_known = on.iter().all(|on| task.waits_for == Some(on.kind()));
    let is_single = on.len() == 1 || on.iter().all(|on| matches!(on, WaitsOn::Child(_)));
    let is_kind = matches!(task.waits_for, Some(WaitsFor::Task | WaitsFor::Lock));
    let is_stuck = is_kind && is_certain && is_known && is_single;
    (is_stuck && task.state == TaskState::Waiting)
        .then(|| on.iter().flat_map(WaitsOn::tasks).copied().collect())
}

/// Follows from each stuck task the first stuck task that it waits on.
fn cycles(stuck: &Waits) -> Vec<Vec<TaskId>> {
    let next = |task: TaskId| stuck[&task].iter().copied().find(|on| stuck.contains_key(on));
    let (mut seen, mut cycles) = (BTreeSet::new(), Vec::new());
    for &start in stuck.keys() {
        let (mut path, mut task) = (Vec::new(), Some(start));
        while let Some(found) = task.filter(|task| seen.insert(*task)) {
            path.push(found);
            task = next(found);
        }
        // Where the walk met itself, the cycle begins.
        if let Some(begin) = path.iter().position(|on| Some(*on) == task) {
            let mut cycle = path.split_off(begin);
            let lowest = (0..cycle.len()).min_by_key(|at| cycle[*at]).unwrap_or(0);
            cycle.rotate_left(lowest);
            cycles.push(cycle);
        }
    }
    cycles
}
