//! How many results the running poll may still take, and which branch of it comes first.
//!
//! A task whose sockets and channels are always ready would never return `Pending`, and no other
//! task would run. So every leaf that work outside of its task can keep ready follows one rule:
//!
//! 1. It asks [`poll_left`] before it does anything. Refused, it returns `Pending`; the task has
//!    been woken.
//! 2. It [spends](spend) one unit for each result, also for one that is final (closed, ended).
//!
//! A poll that spends its units in its first branch refuses the branches behind it. If the next
//! poll began in the same way, these would starve: whatever a `join!` or a `select!` holds comes in
//! the same order each time. So the next poll of a task that was refused something begins by
//! skipping a random number of leaves, which are refused; the one behind them is the first to get
//! units. The number is random since some combinators rotate their branches themselves, in step
//! with any fixed pattern, and since a child of a scope is not polled in every poll of its task.
//!
//! Combinators of this crate keep two things apart: what was spent before they were polled, and
//! what they polled has spent. A limit whose deadline has passed gives its future some more polls
//! if leaves were refused, since its own may have been among them: [`Grace`]. A scope polls its
//! body and one child in any case, and asks before each further child: so scopes nest to any depth,
//! and the children that are left come first in the next poll.
//!
//! Outside of a loop the budget is unlimited. Invariant: only the executor begins a poll.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Context, Poll};

/// Results that one poll of a task may take: enough to drain a burst, small enough that a poll
/// ends within some microseconds for its neighbours.
const PER_POLL: u64 = 128;

/// Outside of a loop: what would take centuries to spend.
const UNLIMITED: u64 = u64::MAX;

/// In `POLL`: what the poll may take has been decided.
const DECIDED: u64 = 1 << 32;

/// So many polls a limit waits for one in which nothing is refused. Some microseconds each.
const GRACE_POLLS: u8 = 8;

/// So many polls the greatest number of refused leaves counts: a child of a scope is polled again
/// only some polls of its task after it was refused, one for each scope around it.
const REMEMBERED: u32 = 8;

/// Once in so many polls of a hungry task the number of leaves to skip is not taken from what was
/// seen before.
const SURPRISE: u32 = 8;

/// A leaf that alone was refused is skipped in one of so many polls only: as a rule it is the one
/// that spent the units, and refusing it makes a poll for nothing. Odd, so that it falls in step
/// with no child of a scope that is polled in every second poll of its task.
const LONE: u32 = 8191;

thread_local! {
    /// Units left. Zero: spent, not decided yet, or leaves are skipped.
    static LEFT: Cell<u64> = const { Cell::new(UNLIMITED) };
    /// What `LEFT` is at the start of a poll. Zero while some task is hungry: then the first leaf
    /// that asks finds out whether it is this one.
    static START: Cell<u64> = const { Cell::new(PER_POLL) };
    /// The slot of the task that is polled, and `DECIDED`. What a scope polls inside of it changes
    /// nothing.
    static POLL: Cell<u64> = const { Cell::new(0) };
    /// Leaves to skip before the units come. Counts once it is decided.
    static SKIP: Cell<u32> = const { Cell::new(0) };
    static HUNGRY: RefCell<Hungry> = const {
        RefCell::new(Hungry { tasks: BTreeMap::new(), lone: 0, random: 1 })
    };
}

/// Tasks that were refused units, by their slots. An entry that lies there when the slot has got
/// another task costs that one some polls.
struct Hungry {
    tasks: BTreeMap<u32, Refused>,
    /// Polls that began after one leaf alone was refused.
    lone: u32,
    /// State of a xorshift generator.
    random: u32,
}

/// How many leaves of a task are refused in a poll.
#[derive(Clone, Copy, Default)]
struct Refused {
    /// In the poll that runs, or ran last.
    now: u32,
    /// The most in the last polls.
    most: u32,
    /// How many polls ago that was.
    age: u32,
}

/// The budget of an outer poll, which is restored when this is dropped.
pub(crate) struct Aside {
    left: u64,
    poll: u64,
    skip: u32,
}

/// How many polls a limit gave its future since its deadline, because leaves were refused units.
#[derive(Default)]
pub(crate) struct Grace(u8);

/// Begins a poll of the task in `slot`.
#[inline]
pub(crate) fn begin(slot: u32) {
    LEFT.set(START.get());
    POLL.set(slot.into());
}

/// Sets the budget of the running poll aside; the budget is unlimited until a poll inside of it
/// begins.
pub(crate) fn set_aside() -> Aside {
    Aside { left: LEFT.replace(UNLIMITED), poll: POLL.get(), skip: SKIP.get() }
}

/// Whether a unit is left.
#[inline]
pub(crate) fn is_left() -> bool {
    LEFT.get() > 0 || decide()
}

/// `Ready` if a unit is left; otherwise the task is woken. Asked before a leaf does anything.
#[inline]
pub(crate) fn poll_left(cx: &mut Context<'_>) -> Poll<()> {
    if LEFT.get() > 0 { Poll::Ready(()) } else { poll_refused(cx) }
}

/// Spends a unit. Called by a leaf that completes.
#[inline]
pub(crate) fn spend() {
    LEFT.set(LEFT.get().saturating_sub(1));
}

/// One result, asked for and spent: what a future awaits that does its work at once.
pub(crate) async fn unit() {
    poll_fn(poll_left).await;
    spend();
}

#[cold]
fn poll_refused(cx: &mut Context<'_>) -> Poll<()> {
    if decide() {
        return Poll::Ready(());
    }
    HUNGRY.with_borrow_mut(|hungry| hungry.tasks.entry(slot()).or_default().now += 1);
    START.set(0);
    if SKIP.get() > 0 {
        SKIP.set(SKIP.get() - 1);
        if SKIP.get() == 0 {
            // That was the last to be skipped: the next one gets units.
            LEFT.set(PER_POLL);
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// With no unit left: decides what the poll may take, if that was left open. Returns whether a unit
/// is left now.
#[cold]
fn decide() -> bool {
    let poll = POLL.get();
    if poll & DECIDED != 0 {
        return false;
    }
    POLL.set(poll | DECIDED);
    SKIP.set(0);
    if START.get() == PER_POLL {
        // It began with units, and they are spent.
        return false;
    }
    SKIP.set(HUNGRY.with_borrow_mut(|hungry| hungry.skip(slot())));
    LEFT.set(if SKIP.get() == 0 { PER_POLL } else { 0 });
    SKIP.get() == 0
}

/// The slot of the task that is polled.
fn slot() -> u32 {
    POLL.get() as u32
}

/// No task is ready to run, and one that was refused would be: forgets those that have ended since.
#[inline]
pub(crate) fn forget_refused() {
    if START.get() != PER_POLL {
        START.set(PER_POLL);
        HUNGRY.with_borrow_mut(|hungry| hungry.tasks.clear());
    }
}

/// Whether a leaf of the running poll was refused units.
fn is_refused() -> bool {
    let refused = |hungry: &Hungry| hungry.tasks.get(&slot()).is_some_and(|it| it.now > 0);
    START.get() == 0 && POLL.get() & DECIDED != 0 && HUNGRY.with_borrow(refused)
}

impl Hungry {
    /// How many leaves the poll that begins for the task in `slot` skips.
    fn skip(&mut self, slot: u32) -> u32 {
        let Some(refused) = self.tasks.get_mut(&slot) else { return 0 };
        refused.begin_poll();
        let most = refused.most;
        match most {
            0 => {
                self.tasks.remove(&slot);
                if self.tasks.is_empty() {
                    START.set(PER_POLL);
                }
                0
            }
            1 => {
                self.lone += 1;
                u32::from(self.lone % LONE == 0)
            }
            // One or more; `n` or more once in `n` times.
            _ if self.random() % SURPRISE == 0 => u32::MAX / self.random(),
            _ => self.random() % most,
        }
    }

    fn random(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random
    }
}

impl Refused {
    fn begin_poll(&mut self) {
        self.age += 1;
        if self.now >= self.most || self.age > REMEMBERED {
            (self.most, self.age) = (self.now, 0);
        }
        self.now = 0;
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        LEFT.set(self.left);
        POLL.set(self.poll);
        SKIP.set(self.skip);
    }
}

impl Grace {
    /// Asked by a limit whose deadline has passed, after its future was `Pending`. `Ready`: no
    /// leaf of the task was refused units in this poll, or the future had polls enough. Otherwise
    /// the task is woken for another one.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == GRACE_POLLS || (!is_refused() && poll_left(cx).is_ready()) {
            return Poll::Ready(());
        }
        self.0 += 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
