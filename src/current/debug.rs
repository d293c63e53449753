//! Debug mode: telling, on stderr, of what is allowed and likely a mistake.
//!
//! Invariant: outside of debug mode nothing is recorded, and each question costs a load.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem::ManuallyDrop;

use super::state;
use super::task_id::TaskId;

/// A lock that a task holds.
struct Held {
    task: TaskId,
    /// Where the lock is.
    address: usize,
    kind: &'static str,
}

/// The mode is as it was when this is dropped.
pub(crate) struct Before(bool);

thread_local! {
    /// The loop that is in a turn on this thread is in debug mode.
    static IS_ON: Cell<bool> = const { Cell::new(false) };
    /// Something was recorded since the thread began.
    static HAS_HELD: Cell<bool> = const { Cell::new(false) };
    static HELD: ManuallyDrop<RefCell<Vec<Held>>> =
        const { ManuallyDrop::new(RefCell::new(Vec::new())) };
}

/// Turns the mode on or off, until what it returns is dropped.
pub(crate) fn set(is_on: bool) -> Before {
    Before(IS_ON.replace(is_on))
}

pub(crate) fn is_on() -> bool {
    IS_ON.get()
}

/// Tells the user.
pub(crate) fn say(message: fmt::Arguments<'_>) {
    eprintln!("evloop: {message}");
}

/// The running task has locked what is at `address`.
#[inline]
pub(crate) fn locked(kind: &'static str, address: *const impl Sized) {
    if is_on() {
        record(kind, address.addr());
    }
}

/// What is at `address` was unlocked.
#[inline]
pub(crate) fn unlocked(address: *const impl Sized) {
    if HAS_HELD.get() {
        strike(address.addr());
    }
}

#[cold]
fn record(kind: &'static str, address: usize) {
    if let Some(task) = state::task() {
        HAS_HELD.set(true);
        let held = Held { task, address, kind };
        HELD.with(|all| all.borrow_mut().push(held));
    }
}

#[cold]
fn strike(address: usize) {
    HELD.with(|all| {
        let mut all = all.borrow_mut();
        let is_held = |held: &Held| held.address == address;
        // Of readers who share a lock, it is the one that runs; unless its guard went elsewhere.
        let task = state::task();
        let place = all.iter().rposition(|held| is_held(held) && Some(held.task) == task);
        let place = place.or_else(|| all.iter().rposition(is_held));
        if let Some(place) = place {
            all.swap_remove(place);
        }
    });
}

/// The kinds of locks that a task holds, of which it has not been told before.
pub(crate) fn take_held(task: TaskId) -> Vec<&'static str> {
    HELD.with(|all| {
        let mut all = all.borrow_mut();
        let (held, rest) = all.drain(..).partition::<Vec<_>, _>(|held| held.task == task);
        *all = rest;
        held.into_iter().map(|held| held.kind).collect()
    })
}

impl Drop for Before {
    fn drop(&mut self) {
        IS_ON.set(self.0);
    }
}
