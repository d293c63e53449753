//! Sets, cancels and fires the timers of a loop.
//!
//! Deadlines are nanoseconds of the reactor's clock. Invariant: no user code runs while the wheel
//! is borrowed: no waker is cloned, dropped or woken then, but those of tasks of the running loop.

use std::task::{Poll, Waker};
use std::time::Instant;

use super::selector::Reactor;
use super::timer_wheel::TimerKey;
use crate::clock::Tick;

impl Reactor {
    /// Fires the timers that are due and wakes their tasks. One call fires a limited number; the
    /// next call fires more, and the wait before it returns at once.
    pub(crate) fn fire_timers(&self) {
        if self.timers.borrow().is_empty() {
            return;
        }
        let now = self.clock.tick().nanos();
        self.collect_and_wake(|woken| self.timers.borrow_mut().advance(now, woken));
    }

    /// Returns when the next timer is due.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.next_tick().map(|at| self.clock.begin(at))
    }

    /// Returns when the next timer is due, in nanoseconds of the clock.
    #[cfg(feature = "sim")]
    pub(crate) fn next_nanos(&self) -> Option<u64> {
        self.next_tick().map(Tick::nanos)
    }

    /// Returns the number of timers that are set. Scans them.
    pub(crate) fn count_timers(&self) -> usize {
        self.timers.borrow().count()
    }

    pub(super) fn next_tick(&self) -> Option<Tick> {
        self.timers.borrow().next().map(|nanos| self.clock.tick_at_or_after(nanos))
    }

    /// Completes once the deadline has passed, in nanoseconds of the clock. Until then a timer at
    /// `key` wakes `waker`.
    ///
    /// # Panics
    ///
    /// If the loop has ended.
    #[inline(always)]
    pub(crate) fn poll_timer(
        &self,
        key: &mut Option<TimerKey>,
        deadline: u64,
        waker: &Waker,
    ) -> Poll<()> {
        let Some(set) = *key else {
            *key = self.set_timer(deadline, waker.clone());
            return if key.is_some() { Poll::Pending } else { Poll::Ready(()) };
        };
        let timers = self.timers.borrow();
        if timers.has_fired(deadline) {
            *key = None;
            self.assert_open();
            return Poll::Ready(());
        }
        if !timers.will_wake(set, waker) {
            drop(timers);
            self.replace_waker(set, waker.clone());
        }
        Poll::Pending
    }

    /// Sets a timer, unless its deadline has passed. Always inlined: every first poll of a sleep
    /// runs it.
    #[inline(always)]
    fn set_timer(&self, deadline: u64, waker: Waker) -> Option<TimerKey> {
        let mut timers = self.timers.borrow_mut();
        if timers.has_fired(deadline) {
            drop(timers);
            self.assert_open();
            return None;
        }
        let key = timers.insert(deadline, waker);
        drop(timers);
        if self.is_watched.get() {
            self.arm();
        }
        Some(key)
    }

    #[cold]
    fn replace_waker(&self, key: TimerKey, waker: Waker) {
        let old = self.timers.borrow_mut().replace_waker(key, waker);
        drop(old);
    }

    /// Cancels a timer, unless it has fired.
    #[inline]
    pub(crate) fn cancel_timer(&self, key: TimerKey, deadline: u64) {
        let mut timers = self.timers.borrow_mut();
        if !timers.has_fired(deadline) {
            let waker = timers.remove(key);
            // Dropping a waker may run user code, so the borrow ends first.
            drop(timers);
            drop(waker);
        }
    }

    /// Moves a timer to another deadline; it will wake the same waker. If that deadline has passed,
    /// wakes the waker at once and removes the timer. Returns whether the timer was set: it had not
    /// fired.
    pub(crate) fn move_timer(&self, key: &mut Option<TimerKey>, old: u64, new: u64) -> bool {
        let Some(set) = key.take() else { return false };
        let mut timers = self.timers.borrow_mut();
        if timers.has_fired(old) {
            return false;
        }
        let Some(waker) = timers.remove(set) else { return false };
        let is_due = timers.has_fired(new);
        drop(timers);
        if is_due {
            waker.wake();
        } else {
            *key = self.set_timer(new, waker);
        }
        true
    }

    fn assert_open(&self) {
        assert!(
            !self.is_closed.get(),
            "a sleep was polled after its event loop had ended: make a new one in this loop"
        );
    }
}
