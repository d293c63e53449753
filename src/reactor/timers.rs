//! The timers of a loop: setting, cancelling and firing them.
//!
//! Deadlines are nanoseconds of the reactor's clock. Invariant: no waker is cloned, dropped or
//! woken while the wheel is borrowed.

use std::task::{Poll, Waker};
use std::time::Instant;

use super::selector::Reactor;
use super::timer_wheel::TimerKey;
use crate::clock::Tick;

impl Reactor {
    /// Fires timers that are due, waking their tasks. A limited number of them: the others are left
    /// to the next call, and the wait before it does not wait.
    pub(crate) fn fire_timers(&self) {
        if self.timers.borrow().is_empty() {
            return;
        }
        let now = self.clock.tick().nanos();
        self.collect(|woken| self.timers.borrow_mut().advance(now, woken));
    }

    /// When the timers next want to be fired.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.next_tick().map(|at| self.clock.begin(at))
    }

    pub(super) fn next_tick(&self) -> Option<Tick> {
        self.timers.borrow().next().map(Tick::at_or_after)
    }

    /// Completes once the deadline has been passed, in nanoseconds of the clock; until then
    /// `waker` is woken by a timer at `key`.
    ///
    /// # Panics
    ///
    /// If the loop has ended.
    #[inline]
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
        if !timers.wakes(set, waker) {
            drop(timers);
            self.replace_waker(set, waker.clone());
        }
        Poll::Pending
    }

    /// Makes a timer, unless it would have fired.
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

    /// Takes a timer back, unless it has fired.
    #[inline]
    pub(crate) fn cancel_timer(&self, key: TimerKey, deadline: u64) {
        let mut timers = self.timers.borrow_mut();
        if !timers.has_fired(deadline) {
            let waker = timers.remove(key);
            drop(timers);
            drop(waker);
        }
    }

    fn assert_open(&self) {
        assert!(
            !self.is_closed.get(),
            "a sleep was polled after its event loop had ended: make a new one in this loop"
        );
    }
}
