//! L0: how many operations the running poll may still complete.
//!
//! A task whose sockets and channels are always ready would never return `Pending`, and nobody else
//! would run. So every leaf that others can keep ready spends one unit for each result it gives;
//! when none is left it wakes its task, says `Pending`, and the loop goes round. Outside of a loop
//! the budget is unlimited. Invariant: only the executor sets it, only leaves spend it.

use std::cell::Cell;
use std::task::{Context, Poll};

/// Results that one poll of a task may take: enough to drain a burst, small enough that a poll
/// ends within some microseconds for its neighbours.
const PER_POLL: u64 = 128;

/// Outside of a loop: what would take centuries to spend.
const UNLIMITED: u64 = u64::MAX;

/// What was left outside.
pub(crate) struct Aside(u64);

impl Drop for Aside {
    fn drop(&mut self) {
        LEFT.set(self.0);
    }
}

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(UNLIMITED) };
}

/// Called by the executor before each poll of a task.
pub(crate) fn refill() {
    LEFT.set(PER_POLL);
}

/// Sets aside what is left, until what it returns is dropped; the budget is unlimited till then.
pub(crate) fn set_aside() -> Aside {
    Aside(LEFT.replace(UNLIMITED))
}

/// Whether a unit is left.
#[inline]
pub(crate) fn is_left() -> bool {
    LEFT.get() > 0
}

/// `Ready` if a unit is left; otherwise the task is woken. Asked before a leaf does anything.
pub(crate) fn poll_left(cx: &mut Context<'_>) -> Poll<()> {
    if is_left() {
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Spends a unit. Called by a leaf that completes.
pub(crate) fn spend() {
    LEFT.set(LEFT.get().saturating_sub(1));
}
