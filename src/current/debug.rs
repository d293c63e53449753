//! Debug mode: reports on stderr what is allowed but probably a mistake.
//!
//! Invariant: outside debug mode nothing is recorded, and each check costs one load.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem::ManuallyDrop;

use super::state;
use super::task_id::TaskId;

/// A lock that a task holds.
struct HeldLock {
    task: TaskId,
    /// The address of the lock.
    address: usize,
    kind: &'static str,
}

/// Restores the previous mode when it is dropped.
pub(crate) struct ModeGuard(bool);

thread_local! {
    /// Whether the loop that is in a turn on this thread is in debug mode.
    static IS_ON: Cell<bool> = const { Cell::new(false) };
    /// Whether a lock was recorded since the thread began.
    static HAS_HELD: Cell<bool> = const { Cell::new(false) };
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

/// Records that the running task has locked the lock at `address`.
#[inline]
pub(crate) fn locked(kind: &'static str, address: *const impl Sized) {
    if is_on() {
        record(kind, address.addr());
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
fn record(kind: &'static str, address: usize) {
    if let Some(task) = state::task() {
        HAS_HELD.set(true);
        let held = HeldLock { task, address, kind };
        HELD.with(|all| all.borrow_mut().push(held));
    }
}

#[cold]
fn remove(address: usize) {
    HELD.with(|all| {
        let mut all = all.borrow_mut();
        let is_held = |held: &HeldLock| held.address == address;
        // Several tasks may hold one lock for reading: prefer the entry of the running task. A
        // guard that moved to another task is dropped there, so fall back to any entry.
        let task = state::task();
        let index = all.iter().rposition(|held| is_held(held) && Some(held.task) == task);
        let index = index.or_else(|| all.iter().rposition(is_held));
        if let Some(index) = index {
            all.swap_remove(index);
        }
    });
}

/// Takes the records of the locks that a task holds. Returns their kinds.
pub(crate) fn take_held(task: TaskId) -> Vec<&'static str> {
    HELD.with(|all| {
        let mut all = all.borrow_mut();
        let (held, rest) = all.drain(..).partition::<Vec<_>, _>(|held| held.task == task);
        *all = rest;
        held.into_iter().map(|held| held.kind).collect()
    })
}

impl Drop for ModeGuard {
    fn drop(&mut self) {
        IS_ON.set(self.0);
    }
}
