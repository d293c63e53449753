//! The budget of a poll: how many results it may still take, and which of its branches comes first.
//!
//! A task whose sockets and channels are always ready would never return `Pending`, and no other
//! task would run. So there is one rule for every leaf future that code outside its task can keep
//! ready:
//!
//! 1. It calls [`poll_left`] before it does anything. If it is refused, it returns `Pending`;
//!    `poll_left` has woken the task.
//! 2. It [spends](spend) one unit for each result, also for a final one (closed, end of stream).
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

use super::waits;

/// The slot of what a host runs between two hosted turns. No task has it.
const HOST: u32 = u32::MAX;

/// The number of results that one poll of a task may take: enough to drain a burst, and few enough
/// that the poll ends within microseconds and other tasks run.
const PER_POLL: u64 = 128;

/// The budget outside a loop: spending it would take centuries.
const UNLIMITED: u64 = u64::MAX;

/// A flag in `POLL`: the budget of the poll has been decided.
const DECIDED: u64 = 1 << 32;

/// The number of polls for which a timeout waits for one in which no leaf is refused. Each takes
/// some microseconds.
const GRACE_POLLS: u8 = 8;

/// The number of polls for which the maximum of refused leaves is remembered, at first: a refused
/// child of a scope is polled again only after some polls of its task, one for each scope around
/// it. The number doubles whenever the count rises again, since it was too small then.
const REMEMBERED: u32 = 8;

/// The limit of that number: scopes nested this deep.
const REMEMBERED_MAX: u32 = 1 << 16;

/// The number of tasks in a page of the table of starved tasks: a page takes 1 KiB.
const PAGE: usize = 64;

/// Once in this many polls of a starved task, the number of leaves to skip is independent of the
/// number that was refused before.
const RANDOM_EVERY: u32 = 8;

/// A single refused leaf is skipped only once in this many polls: usually it is the leaf that spent
/// the units, and refusing it costs a useless poll. Odd, so that it does not stay in step with a
/// child of a scope that is polled in every second poll of its task.
const LONE_SKIP_EVERY: u32 = 8191;

thread_local! {
    /// The units left. 0: spent, not decided yet, or leaves are being skipped.
    static LEFT: Cell<u64> = const { Cell::new(UNLIMITED) };
    /// The value of `LEFT` at the start of a poll. 0 while some task is starved: then the first
    /// `poll_left` checks whether it is this task.
    static START: Cell<u64> = const { Cell::new(PER_POLL) };
    /// The slot of the task that is polled, and `DECIDED`. A scope's polls of its children do not
    /// change it.
    static POLL: Cell<u64> = const { Cell::new(0) };
    /// The number of leaves to skip before one may take units. Valid once `DECIDED` is set.
    static SKIP: Cell<u32> = const { Cell::new(0) };
    /// Wakes the host that runs the loop's turns: the next one begins a poll.
    static HOST_WAKER: Cell<Option<Waker>> = const { Cell::new(None) };
    static STARVED: RefCell<Starved> = const {
        RefCell::new(Starved { tasks: Tasks::NONE, lone: 0, random: 1 })
    };
}

/// The tasks with refused leaves, by their slots. An entry of an ended task may remain: it costs
/// the next task in the slot some polls.
struct Starved {
    tasks: Tasks,
    /// The number of polls that began after a single leaf was refused.
    lone: u32,
    /// The state of a xorshift generator.
    random: u32,
}

/// A table by slots. Its pages are made on first use, so that it grows without copying them. A map
/// of std would compile more code than the rest of this file.
struct Tasks {
    pages: Vec<Option<Box<[Refused; PAGE]>>>,
    /// The number of tasks in the table: those with a refused leaf now or in the last polls.
    count: usize,
}

/// The numbers of leaves of a task that were refused.
#[derive(Clone, Copy, Default)]
struct Refused {
    /// In the running poll, or in the last one.
    now: u32,
    /// The maximum in the last polls.
    most: u32,
    /// How many polls ago the maximum was.
    age: u32,
    /// For how many polls it is remembered; 0 at first.
    remembered: u32,
}

/// The budget of an outer poll. Its drop restores the budget.
pub(crate) struct SavedBudget {
    left: u64,
    poll: u64,
    skip: u32,
}

/// A unit of the running poll that is not spent yet. It is for the fast path of a leaf, which takes
/// it instead of calling [`poll_left`] and [`spend`], and runs no user code before it spends it.
pub(crate) struct Unit {
    left: u64,
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
    LEFT.set(LEFT.get().saturating_sub(1));
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

#[cold]
fn poll_refused(cx: &mut Context<'_>) -> Poll<()> {
    if decide() {
        return Poll::Ready(());
    }
    STARVED.with_borrow_mut(|starved| starved.tasks.refuse(slot()));
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
    SKIP.set(STARVED.with_borrow_mut(|starved| starved.skip(slot())));
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
        STARVED.with_borrow_mut(|starved| starved.tasks = Tasks::NONE);
    }
}

/// Forgets all that earlier loops of the thread have left, so that each run of a simulated world
/// begins in the same state.
#[cfg(feature = "sim")]
pub(crate) fn reset() {
    START.set(PER_POLL);
    STARVED.set(Starved { tasks: Tasks::NONE, lone: 0, random: 1 });
}

/// Returns whether a leaf of the running poll was refused.
fn is_refused() -> bool {
    let refused = |starved: &mut Starved| starved.tasks.get(slot()).is_some_and(|it| it.now > 0);
    START.get() == 0 && POLL.get() & DECIDED != 0 && STARVED.with_borrow_mut(refused)
}

impl Starved {
    /// Returns the number of leaves that the beginning poll of the task in `slot` skips.
    fn skip(&mut self, slot: u32) -> u32 {
        let Some(refused) = self.tasks.get(slot) else { return 0 };
        refused.begin_poll();
        let most = refused.most;
        match most {
            0 => {
                self.tasks.remove(slot);
                if self.tasks.count == 0 {
                    START.set(PER_POLL);
                }
                0
            }
            1 => {
                self.lone += 1;
                u32::from(self.lone % LONE_SKIP_EVERY == 0)
            }
            // At least 1; `n` or more with a probability of 1 in `n`.
            _ if self.random() % RANDOM_EVERY == 0 => u32::MAX / self.random(),
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

impl Tasks {
    const NONE: Tasks = Tasks { pages: Vec::new(), count: 0 };

    /// Returns the record of a task that is in the table.
    fn get(&mut self, slot: u32) -> Option<&mut Refused> {
        let (page, index) = place(slot);
        let refused = &mut self.pages.get_mut(page)?.as_mut()?[index];
        refused.is_starved().then_some(refused)
    }

    /// Counts a refused leaf of a task.
    fn refuse(&mut self, slot: u32) {
        let (page, index) = place(slot);
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let page = self.pages[page].get_or_insert_with(|| Box::new([Refused::default(); PAGE]));
        self.count += usize::from(!page[index].is_starved());
        page[index].now += 1;
    }

    fn remove(&mut self, slot: u32) {
        let (page, index) = place(slot);
        if let Some(page) = &mut self.pages[page] {
            page[index] = Refused::default();
            self.count -= 1;
        }
    }
}

/// Returns the page of a slot, and the index in it. The slot of the host comes first.
fn place(slot: u32) -> (usize, usize) {
    let place = slot.wrapping_sub(HOST) as usize;
    (place / PAGE, place % PAGE)
}

impl Refused {
    fn is_starved(&self) -> bool {
        self.now > 0 || self.most > 0
    }

    fn begin_poll(&mut self) {
        self.age += 1;
        if self.now > self.most {
            self.remembered = (self.remembered * 2).clamp(REMEMBERED, REMEMBERED_MAX);
        }
        if self.now >= self.most || self.age > self.remembered {
            (self.most, self.age) = (self.now, 0);
        }
        self.now = 0;
    }
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
