//! Cycles of tasks that wait for each other: by joins, scopes and locks.
//!
//! A task is stuck if what it waits on needs a stuck task, and if nothing else can wake it. The
//! search begins with all tasks that wait on tasks only, and removes those that are not stuck,
//! until none is left to remove. Invariant: a task with a timer, a socket or anything unknown is
//! not stuck, so what is reported lasts for ever, unless a future of another crate that is polled
//! beside the one that waits ends the wait.

use crate::context::{Edges, Snapshot, TaskRecord, WaitsOn};
use crate::current::WaitsFor;
use crate::executor::TaskState;

/// The indices of the tasks that each task of the snapshot waits on; none if it is not stuck.
type Waits = [Vec<usize>];

/// Returns the cycles of indices, each in the order of its waits, the lowest one first.
pub(crate) fn deadlocks(snapshot: &Snapshot, edges: &Edges) -> Vec<Vec<usize>> {
    let mut stuck = Vec::with_capacity(snapshot.tasks.len());
    for task in &snapshot.tasks {
        stuck.push(waits(snapshot, edges, task));
    }
    loop {
        let mut is_freed = false;
        // From the newest task on: most tasks wait on newer ones, so most need one pass.
        for task in (0..stuck.len()).rev() {
            if !stuck[task].is_empty() && next(&stuck, task).is_none() {
                stuck[task].clear();
                is_freed = true;
            }
        }
        if !is_freed {
            return cycles(&stuck);
        }
    }
}

/// Returns the tasks that a task waits on; none if it does not wait, or if something else may wake
/// it.
fn waits(snapshot: &Snapshot, edges: &Edges, task: &TaskRecord) -> Vec<usize> {
    let on = edges.of_task(task);
    let is_certain = task.locks.iter().all(|lock| !lock.may_move);
    let is_known = on.iter().all(|on| task.waits_for == Some(on.kind()));
    let is_single = on.len() == 1 || on.iter().all(|on| matches!(on, WaitsOn::Child(_)));
    let is_kind = matches!(task.waits_for, Some(WaitsFor::Task | WaitsFor::Lock));
    let mut waits = Vec::new();
    if is_kind && is_certain && is_known && is_single && task.state == TaskState::Waiting {
        for task in on.iter().flat_map(WaitsOn::tasks) {
            waits.extend(snapshot.index_of(*task));
        }
    }
    waits
}

/// Returns the first stuck task that a stuck task waits on.
fn next(stuck: &Waits, task: usize) -> Option<usize> {
    stuck[task].iter().copied().find(|on| !stuck[*on].is_empty())
}

/// Follows from each stuck task the first stuck task that it waits on.
fn cycles(stuck: &Waits) -> Vec<Vec<usize>> {
    // For each task, the start of the walk that has met it.
    let (mut seen, mut cycles) = (vec![None; stuck.len()], Vec::new());
    for start in 0..stuck.len() {
        let mut task = (!stuck[start].is_empty()).then_some(start);
        while let Some(found) = task.filter(|task| seen[*task].is_none()) {
            seen[found] = Some(start);
            task = next(stuck, found);
        }
        // Where the walk meets itself, the cycle begins.
        if let Some(begin) = task.filter(|task| seen[*task] == Some(start)) {
            let lowest = cycle(stuck, begin).into_iter().fold(begin, usize::min);
            cycles.push(cycle(stuck, lowest));
        }
    }
    cycles
}

/// Returns the cycle that a task is in, from that task on.
fn cycle(stuck: &Waits, begin: usize) -> Vec<usize> {
    let (mut cycle, mut task) = (vec![begin], next(stuck, begin));
    while let Some(found) = task.filter(|task| *task != begin) {
        cycle.push(found);
        task = next(stuck, found);
    }
    cycle
}
