//! Debug mode: reports on stderr what is allowed but probably a mistake.
//!
//! Invariant: outside debug mode nothing is recorded, and each check costs one load.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::task::Waker;

use super::state;
use super::task_id::TaskId;
use super::waits::{self, Place};

/// A lock that a task holds.
struct HeldLock {
    task: TaskId,
    /// The address of the lock.
    address: usize,
    kind: &'static str,
    /// The waker of the future that locked it. `None`: the guard may have moved to another task.
    waker: Option<Waker>,
    place: Place,
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

/// Restores the previous mode when it is dropped.
pub(crate) struct ModeGuard(bool);

thread_local! {
    /// Whether the loop that is in a turn on this thread is in debug mode.
    static IS_ON: Cell<bool> = const { Cell::new(false) };
    /// Whether a lock was recorded since the thread began.
    static HAS_HELD: Cell<bool> = const { Cell::new(false) };
    /// The last call of a lock's method that waits, with the address of the lock. The future that
    /// it returned is polled next, as a rule.
    static CALL: Cell<(usize, Place)> = const { Cell::new((0, None)) };
    /// Set by a poll that has waited for nothing but a lock of its own task.
    static SELF_WAIT: Cell<Option<SelfWait>> = const { Cell::new(None) };
    static HELD: ManuallyDrop<RefCell<Vec<HeldLock>>> =
        const { ManuallyDrop::new(RefCell::new(Vec::new())) };
}

/// Turns the mode on or off until the returned guard is dropped.
pub(crate) fn set(is_on: bool) -> ModeGuard {
    ModeGuard(IS_ON.replace(is_on))
}

pub(crate) fn is_on() -> bool {
    IS_ON.get()
}

/// Writes a message to stderr.
pub(crate) fn report(message: fmt::Arguments<'_>) {
    eprintln!("evloop: {message}");
}

/// Records the caller of a method that locks the lock at `address`.
#[inline]
#[track_caller]
pub(crate) fn called(address: *const impl Sized) {
    if is_on() {
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
    if is_on() {
        record(kind, address.addr(), waker);
    }
}

/// Records that the guard of the lock at `address`, just locked, may move to another task.
#[inline]
pub(crate) fn movable(address: *const impl Sized) {
    if is_on() {
        forget_waker(address.addr());
    }
}

/// Records that the running task waits for the lock `kind` at `address`. Call it before
/// [`pending`](super::pending).
pub(crate) fn waits(kind: Option<&'static str>, address: *const impl Sized, waker: &Waker) {
    if is_on() {
        record_wait(kind, address.addr(), waker);
    }
}

/// Removes the record of the lock at `address`, which was unlocked.
#[inline]
pub(crate) fn unlocked(address: *const impl Sized) {
    if HAS_HELD.get() {
        remove(address.addr());
    }
}

#[cold]
fn record(kind: &'static str, address: usize, waker: Option<&Waker>) {
    if let Some(task) = state::task() {
        HAS_HELD.set(true);
        let place = take_call(address);
        let held = HeldLock { task, address, kind, waker: waker.cloned(), place };
        HELD.with(|all| all.borrow_mut().push(held));
    }
}

#[cold]
fn forget_waker(address: usize) {
    let _waker = HELD.with(|all| {
        let mut all = all.borrow_mut();
        let held = all.iter_mut().rfind(|held| held.address == address);
        held.and_then(|held| held.waker.take())
    });
}

/// A poll that waits for something else, before or after, is no deadlock for certain: another
/// future of the task, such as the other branch of a `join!`, may hold the guard and drop it. If
/// the wakers of the two futures differ, they are polled apart.
#[cold]
fn record_wait(kind: Option<&'static str>, address: usize, waker: &Waker) {
    let task = state::task().filter(|_| !waits::is_waiting());
    let is_held = |held: &HeldLock| {
        let same_waker = held.waker.as_ref().is_some_and(|locked| locked.will_wake(waker));
        Some(held.task) == task && held.address == address && same_waker
    };
    let held = HELD.with(|all| all.borrow().iter().rfind(|held| is_held(held)).map(|it| it.place));
    let waits = take_call(address);
    let found = held.zip(task).zip(kind);
    SELF_WAIT.set(found.map(|((locked, task), kind)| SelfWait { task, kind, locked, waits }));
}

/// Records that a future has stopped waiting for a lock: it was dropped.
pub(crate) fn stops_waiting() {
    SELF_WAIT.set(None);
}

/// Takes the lock that `task` waited for, and held, in the poll that has just ended.
pub(crate) fn take_self_wait(task: TaskId) -> Option<SelfWait> {
    SELF_WAIT.take().filter(|wait| wait.task == task)
}

impl fmt::Display for SelfWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |place: Place| place.map_or_else(String::new, |place| format!(" at {place}"));
        let (waits, kind, locked) = (at(self.waits), self.kind, at(self.locked));
        write!(f, "waits{waits} for a {kind} that it has locked{locked}")
    }
}

#[cold]
fn remove(address: usize) {
    // Dropped after the borrow has ended: the destructor of a waker is user code.
    let _removed = HELD.with(|all| {
        let mut all = all.borrow_mut();
        let is_held = |held: &HeldLock| held.address == address;
        // Several tasks may hold one lock for reading: prefer the entry of the running task. A
        // guard that moved to another task is dropped there, so fall back to any entry.
        let task = state::task();
        let index = all.iter().rposition(|held| is_held(held) && Some(held.task) == task);
        let index = index.or_else(|| all.iter().rposition(is_held));
        index.map(|index| all.swap_remove(index))
    });
}

/// Takes the records of the locks that a task holds. Returns their kinds.
pub(crate) fn take_held(task: TaskId) -> Vec<&'static str> {
    let held = HELD.with(|all| {
        let mut all = all.borrow_mut();
        let (held, rest) = all.drain(..).partition::<Vec<_>, _>(|held| held.task == task);
        *all = rest;
        held
    });
    held.into_iter().map(|held| held.kind).collect()
}

impl Drop for ModeGuard {
    fn drop(&mut self) {
        IS_ON.set(self.0);
    }
}
