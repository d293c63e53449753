//! Which task holds a lock, and which waits for it; recorded in debug mode, and while a loop is
//! inspected.
//!
//! Invariant: a loop that does not record locks only tests whether it does.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::mem::{self, ManuallyDrop};
use std::panic::Location;
use std::task::Waker;

use super::debug::records_locks;
use super::state;
use super::task_id::{TaskId, TaskMap};
use super::waits::{self, Place};
use crate::order;

/// A lock that a task holds.
struct HeldLock {
    task: TaskId,
    kind: &'static str,
    /// The waker of the future that locked it. `None`: no future did, or the guard may move.
    waker: Option<Waker>,
    /// The guard may have moved to another task.
    may_move: bool,
    place: Place,
    /// Counts the locks that were locked before.
    number: u64,
}

/// A lock for which a task waits, and the tasks that hold it.
#[derive(Clone, Debug)]
pub(crate) struct LockWait {
    pub(crate) kind: &'static str,
    /// The tasks that locked it, [`HOLDERS_MAX`] at most.
    pub(crate) holders: Vec<TaskId>,
    /// A guard may have moved from a holder to another task.
    pub(crate) may_move: bool,
}

/// A task that waits for a lock that it holds.
#[derive(Clone, Copy)]
pub(crate) struct SelfWait {
    task: TaskId,
    kind: &'static str,
    /// Where it locked the lock, and where it waits.
    locked: Place,
    waits: Place,
}

/// The records of the locks of a thread. A lock is named by its address.
struct Records {
    held: HashMap<usize, Vec<HeldLock>, BuildHasherDefault<DefaultHasher>>,
    /// The address and the kind of each lock for which a task waits.
    waiting: TaskMap<Vec<(usize, &'static str)>>,
    locked: u64,
}

/// The most holders of one lock that are listed.
const HOLDERS_MAX: usize = 16;

thread_local! {
    /// Whether a lock was recorded since the thread began.
    static HAS_RECORDS: Cell<bool> = const { Cell::new(false) };
    /// The last call of a lock's method that waits, with the address of the lock. The future that
    /// it returned is polled next, as a rule.
    static CALL: Cell<(usize, Place)> = const { Cell::new((0, None)) };
    /// Set by a poll that has waited for nothing but a lock of its own task.
    static SELF_WAIT: Cell<Option<SelfWait>> = const { Cell::new(None) };
    static RECORDS: ManuallyDrop<Cell<Records>> = const {
        ManuallyDrop::new(Cell::new(Records::NONE))
    };
}

/// Records the caller of a method that locks the lock at `address`.
#[inline]
#[track_caller]
pub(crate) fn called(address: *const impl Sized) {
    if records_locks() {
        CALL.set((address.addr(), Some(Location::caller())));
    }
}

/// Takes the place of the last call, if it was for the lock at `address`.
fn take_call(address: usize) -> Place {
    if CALL.get().0 == address { CALL.take().1 } else { None }
}

/// Records that the running task has locked the lock at `address`. `waker` polled for it.
#[inline]
pub(crate) fn locked(kind: &'static str, address: *const impl Sized, waker: Option<&Waker>) {
    if records_locks() {
        record(kind, address.addr(), waker);
    }
}

/// Records that the guard of the lock at `address`, just locked, may move to another task.
#[inline]
pub(crate) fn movable(address: *const impl Sized) {
    if records_locks() {
        forget_waker(address.addr());
    }
}

/// Records that the running task waits for the lock `kind` at `address`. Call it before
/// [`pending`](super::pending).
pub(crate) fn waits(kind: Option<&'static str>, address: *const impl Sized, waker: &Waker) {
    if records_locks() {
        record_wait(kind, address.addr(), waker);
    }
}

/// Records that a future which waited for the lock at `address` was dropped.
pub(crate) fn stops_waiting(address: *const impl Sized) {
    SELF_WAIT.set(None);
    if let Some(task) = state::task().filter(|_| HAS_RECORDS.get()) {
        with(|records| records.end_wait(task, address.addr()));
    }
}

/// Removes the record of the lock at `address`, which was unlocked.
#[inline]
pub(crate) fn unlocked(address: *const impl Sized) {
    if HAS_RECORDS.get() {
        remove(address.addr());
    }
}

/// Calls `f` with the records, which are taken from their cell: `f` must not run user code.
fn with<T>(f: impl FnOnce(&mut Records) -> T) -> T {
    let mut records = replace(Records::NONE);
    let result = f(&mut records);
    replace(records);
    result
}

fn replace(records: Records) -> Records {
    RECORDS.with(|cell| cell.replace(records))
}

impl Records {
    const NONE: Records = Records {
        held: HashMap::with_hasher(BuildHasherDefault::new()),
        waiting: TaskMap::with_hasher(BuildHasherDefault::new()),
        locked: 0,
    };

    /// Removes the record that a task waits for the lock at `address`.
    fn end_wait(&mut self, task: TaskId, address: usize) {
        let Some(waits) = self.waiting.get_mut(&task) else { return };
        waits.retain(|(of, _)| *of != address);
        if waits.is_empty() {
            self.waiting.remove(&task);
        }
    }
}

#[cold]
fn record(kind: &'static str, address: usize, waker: Option<&Waker>) {
    if let Some(task) = state::task() {
        HAS_RECORDS.set(true);
        let place = take_call(address);
        let waker = waker.cloned();
        with(|records| {
            records.end_wait(task, address);
            let number = records.locked;
            records.locked += 1;
            let held = HeldLock { task, kind, waker, may_move: false, place, number };
            records.held.entry(address).or_default().push(held);
        });
    }
}

#[cold]
fn forget_waker(address: usize) {
    let _waker = with(|records| {
        let held = records.held.get_mut(&address)?.last_mut()?;
        held.may_move = true;
        held.waker.take()
    });
}

/// A poll that waits for something else, before or after, is no deadlock for certain: another
/// future of the task, such as the other branch of a `join!`, may hold the guard and drop it. If
/// the wakers of the two futures differ, they are polled apart.
#[cold]
fn record_wait(kind: Option<&'static str>, address: usize, waker: &Waker) {
    let Some((task, kind)) = state::task().zip(kind) else { return SELF_WAIT.set(None) };
    HAS_RECORDS.set(true);
    let is_held = |held: &HeldLock| {
        let same_waker = held.waker.as_ref().is_some_and(|locked| locked.will_wake(waker));
        held.task == task && same_waker
    };
    let locked = with(|records| {
        records.end_wait(task, address);
        records.waiting.entry(task).or_default().push((address, kind));
        Some(records.held.get(&address)?.iter().rfind(|held| is_held(held))?.place)
    });
    let waits = take_call(address);
    let locked = locked.filter(|_| !waits::is_waiting());
    SELF_WAIT.set(locked.map(|locked| SelfWait { task, kind, locked, waits }));
}

/// Takes the lock that `task` waited for, and held, in the poll that has just ended.
pub(crate) fn take_self_wait(task: TaskId) -> Option<SelfWait> {
    SELF_WAIT.take().filter(|wait| wait.task == task)
}

#[cold]
fn remove(address: usize) {
    // Dropped after the borrow has ended: the destructor of a waker is user code.
    let _removed = with(|records| {
        let all = records.held.get_mut(&address)?;
        // Several tasks may hold one lock for reading: prefer the entry of the running task. A
        // guard that moved to another task is dropped there, so fall back to any entry.
        let task = state::task();
        let index =
            all.iter().rposition(|held| Some(held.task) == task).or(all.len().checked_sub(1));
        let removed = index.map(|index| all.swap_remove(index));
        if all.is_empty() {
            records.held.remove(&address);
        }
        removed
    });
}

/// Returns the locks for which a task waits, as far as they are recorded.
pub(crate) fn waits_of(task: TaskId) -> Vec<LockWait> {
    if !HAS_RECORDS.get() {
        return Vec::new();
    }
    let mut waits = Vec::new();
    with(|Records { held, waiting, .. }| {
        for (address, kind) in waiting.get(&task).map_or(&[][..], |waits| &waits[..]) {
            let mut wait = LockWait { kind, holders: Vec::new(), may_move: false };
            for held in held.get(address).map_or(&[][..], |all| &all[..]) {
                wait.may_move |= held.may_move;
                if wait.holders.len() < HOLDERS_MAX {
                    wait.holders.push(held.task);
                }
            }
            waits.push(wait);
        }
    });
    waits
}

/// Removes the records of a task that has ended. Returns the kinds of the locks that it holds, in
/// the order in which it locked them.
pub(crate) fn take_held(task: TaskId) -> Vec<&'static str> {
    let mut taken = Vec::new();
    with(|Records { held, waiting, .. }| {
        held.retain(|_, all| {
            for held in mem::take(all) {
                let list = if held.task == task { &mut taken } else { &mut *all };
                list.push(held);
            }
            !all.is_empty()
        });
        waiting.remove(&task);
    });
    order::sort(&mut taken, |held| held.number);
    taken.iter().map(|held| held.kind).collect()
}

impl fmt::Display for SelfWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |place: Place| place.map_or_else(String::new, |place| format!(" at {place}"));
        let (waits, kind, locked) = (at(self.waits), self.kind, at(self.locked));
        write!(f, "waits{waits} for a {kind} that it has locked{locked}")
    }
}
