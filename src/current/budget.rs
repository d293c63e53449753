//! The budget of a poll: how many results it may still take, and which of its branches comes first.
//!
//! A task whose sockets and channels are always ready would never return `Pending`, and no other
//! task would run. So there is one rule for every leaf future that code outside its task can keep
//! ready:
//!
//! 1. It calls [`poll_left`] before it does anything. If it is refused, it returns `Pending`;
//!    `poll_left` has woken the task.
//! 2. It [spends](spend) one unit for each result, also for a final one (closed, end of stream).
//!    A result that the task's own reader or writer has in memory costs a [part](spend_part) of
//!    one.
//!
//! A poll that spends its units in its first branch refuses the branches behind it. A `join!` or a
//! `select!` polls its branches in the same order each time, so the same branches would starve in
//! each poll. Therefore, the next poll of a task with refused leaves skips a random number of
//! leaves: they are refused, and the leaf behind them is the first to take units. The number is
//! random since some combinators rotate their branches themselves, which could stay in step with
//! any fixed pattern, and since a child of a scope is not polled in every poll of its task.
//!
//! The combinators of this crate distinguish units spent before their poll from units that their
//! own branches spent. A timeout whose deadline has passed polls its future a few times more if
//! leaves were refused, since its own leaves may be among them: [`Grace`]. A scope always polls its
//! body and one child, and checks the budget before each further child. So scopes nest to any
//! depth, and the remaining children come first in the next poll.
//!
//! Outside a loop the budget is unlimited. Where tokio hosts the loop, the tasks of tokio share one
//! budget: what tokio runs between two hosted turns counts as one poll. If a leaf is refused in it,
//! the host is woken, and its next turn ends that poll. Invariant: only the executor and the host
//! begin a poll.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker, ready};

use super::starved::{HOST, Starved};
use super::waits;

/// The parts of a unit: a line out of a buffer takes no longer than an eighth of a system call.
const UNIT: i64 = 8;

/// The number of results that one poll of a task may take: enough to drain a burst, and few enough
/// that the poll ends within microseconds and other tasks run.
const PER_POLL: i64 = 128 * UNIT;

/// The budget outside a loop: spending it would take decades.
const UNLIMITED: i64 = i64::MAX;

/// A flag in `POLL`: the budget of the poll has been decided.
const DECIDED: u64 = 1 << 32;

/// The number of polls for which a timeout waits for one in which no leaf is refused. Each takes
/// some microseconds.
const GRACE_POLLS: u8 = 8;

thread_local! {
    /// The parts of units left. Not above 0: spent, not decided yet, or leaves are being skipped.
    static LEFT: Cell<i64> = const { Cell::new(UNLIMITED) };
    /// The value of `LEFT` at the start of a poll. 0 while some task is starved: then the first
    /// `poll_left` checks whether it is this task.
    static START: Cell<i64> = const { Cell::new(PER_POLL) };
    /// The slot of the task that is polled, and `DECIDED`. A scope's polls of its children do not
    /// change it.
    static POLL: Cell<u64> = const { Cell::new(0) };
    /// The number of leaves to skip before one may take units. Valid once `DECIDED` is set.
    static SKIP: Cell<u32> = const { Cell::new(0) };
    /// Wakes the host that runs the loop's turns: the next one begins a poll.
    static HOST_WAKER: Cell<Option<Waker>> = const { Cell::new(None) };
    static STARVED: RefCell<Starved> = const { RefCell::new(Starved::NONE) };
}

/// The budget of an outer poll. Its drop restores the budget.
pub(crate) struct SavedBudget {
    left: i64,
    poll: u64,
    skip: u32,
}

/// A unit of the running poll that is not spent yet. It is for the fast path of a leaf, which takes
/// it instead of calling [`poll_left`] and [`spend`], and runs no user code before it spends it.
pub(crate) struct Unit {
    left: i64,
}

/// The number of extra polls that a timeout made after its deadline, since leaves were refused.
#[derive(Default)]
pub(crate) struct Grace(u8);

/// Begins a poll of the task in `slot`.
#[inline]
pub(crate) fn begin(slot: u32) {
    LEFT.set(START.get());
    POLL.set(slot.into());
}

/// Begins the poll of all that a host runs until its next turn. If a leaf is refused, `host` is
/// woken.
#[cfg(all(feature = "tokio", unix, not(mio_unsupported_force_poll_poll)))]
pub(crate) fn begin_host(host: &Waker) {
    let old = HOST_WAKER.take().filter(|old| old.will_wake(host));
    HOST_WAKER.set(Some(old.unwrap_or_else(|| host.clone())));
    begin(HOST);
}

/// Ends what [`begin_host`] has begun: the host runs no more turns.
#[cfg(all(feature = "tokio", unix, not(mio_unsupported_force_poll_poll)))]
pub(crate) fn end_host() {
    drop(HOST_WAKER.take());
}

/// Saves the budget of the running poll. The budget is unlimited until an inner poll begins.
pub(crate) fn save() -> SavedBudget {
    SavedBudget { left: LEFT.replace(UNLIMITED), poll: POLL.get(), skip: SKIP.get() }
}

/// Returns whether a unit is left.
#[inline]
pub(crate) fn is_left() -> bool {
    LEFT.get() > 0 || decide()
}

/// Returns `Ready` if a unit is left; wakes the task otherwise. A leaf calls it before it does
/// anything.
#[inline]
pub(crate) fn poll_left(cx: &mut Context<'_>) -> Poll<()> {
    if LEFT.get() > 0 { Poll::Ready(()) } else { poll_refused(cx) }
}

/// Returns a unit if one is left and the poll's budget is decided. If not, the leaf calls
/// [`poll_left`].
#[inline]
pub(crate) fn next_unit() -> Option<Unit> {
    let left = LEFT.get();
    (left > 0).then_some(Unit { left })
}

/// Spends a unit. A leaf calls it when it completes.
#[inline]
pub(crate) fn spend() {
    LEFT.set(LEFT.get() - UNIT);
}

/// Spends a part of a unit, for a result that needs no system call and wakes no task.
#[cfg(feature = "streams")]
#[inline]
pub(crate) fn spend_part() {
    LEFT.set(LEFT.get() - 1);
}

/// Spends a unit if one is left; wakes the task otherwise. For leaves that complete in this poll.
#[inline]
pub(crate) fn poll_unit(cx: &mut Context<'_>) -> Poll<()> {
    ready!(poll_left(cx));
    spend();
    Poll::Ready(())
}

/// Waits for a unit and spends it. For futures that do their work without waiting.
pub(crate) async fn unit() {
    poll_fn(poll_unit).await;
}

/// Waits for a part of a unit and spends it.
#[cfg(feature = "streams")]
pub(crate) async fn part() {
    poll_fn(|cx| poll_left(cx).map(|()| spend_part())).await;
}

#[cold]
fn poll_refused(cx: &mut Context<'_>) -> Poll<()> {
    if decide() {
        return Poll::Ready(());
    }
    STARVED.with_borrow_mut(|starved| starved.refuse(slot()));
    START.set(0);
    if SKIP.get() > 0 {
        SKIP.set(SKIP.get() - 1);
        if SKIP.get() == 0 {
            // This was the last leaf to skip: the next one takes units.
            LEFT.set(PER_POLL);
        }
    }
    cx.waker().wake_by_ref();
    if slot() == HOST {
        wake_host();
    }
    waits::refused()
}

/// Wakes the host, which is not borrowed meanwhile: its waker is user code.
fn wake_host() {
    if let Some(host) = HOST_WAKER.take() {
        host.wake_by_ref();
        HOST_WAKER.set(Some(host));
    }
}

/// Decides the budget of the poll, unless it was decided before. Called when no unit is left.
/// Returns whether one is left now.
#[cold]
fn decide() -> bool {
    let poll = POLL.get();
    if poll & DECIDED != 0 {
        return false;
    }
    POLL.set(poll | DECIDED);
    SKIP.set(0);
    if START.get() == PER_POLL {
        // The poll began with units, and has spent them.
        return false;
    }
    let (skip, is_any_left) =
        STARVED.with_borrow_mut(|starved| (starved.skip(slot()), !starved.is_empty()));
    if !is_any_left {
        START.set(PER_POLL);
    }
    SKIP.set(skip);
    LEFT.set(if SKIP.get() == 0 { PER_POLL } else { 0 });
    SKIP.get() == 0
}

/// Returns the slot of the task that is polled.
fn slot() -> u32 {
    POLL.get() as u32
}

/// Clears the starved tasks. Called when no task is ready: a starved task that lives would be, so
/// all of them have ended.
#[inline]
pub(crate) fn forget_refused() {
    if START.get() != PER_POLL {
        START.set(PER_POLL);
        STARVED.with_borrow_mut(Starved::clear);
    }
}

/// Forgets all that earlier loops of the thread have left, so that each run of a simulated world
/// begins in the same state.
#[cfg(feature = "sim")]
pub(crate) fn reset() {
    START.set(PER_POLL);
    STARVED.set(Starved::NONE);
}

/// Returns whether a leaf of the running poll was refused.
fn is_refused() -> bool {
    let is_refused = |starved: &mut Starved| starved.is_refused(slot());
    START.get() == 0 && POLL.get() & DECIDED != 0 && STARVED.with_borrow_mut(is_refused)
}

impl Drop for SavedBudget {
    fn drop(&mut self) {
        LEFT.set(self.left);
        POLL.set(self.poll);
        SKIP.set(self.skip);
    }
}

impl Unit {
    #[inline]
    pub(crate) fn spend(self) {
        debug_assert_eq!(self.left, LEFT.get(), "other code has spent units");
        LEFT.set(self.left - UNIT);
    }

    #[cfg(feature = "streams")]
    #[inline]
    pub(crate) fn spend_part(self) {
        debug_assert_eq!(self.left, LEFT.get(), "other code has spent units");
        LEFT.set(self.left - 1);
    }
}

impl Grace {
    /// Returns `Ready` if no leaf of the task was refused in this poll, or if the future had enough
    /// extra polls. Wakes the task for another poll otherwise. A timeout whose deadline has passed
    /// calls it after its future returned `Pending`.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == GRACE_POLLS || (!is_refused() && poll_left(cx).is_ready()) {
            return Poll::Ready(());
        }
        self.0 += 1;
        cx.waker().wake_by_ref();
        waits::refused()
    }
}
