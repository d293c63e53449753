//! The tasks that wait for a notification: what [`Notify`](super::Notify), [`Event`](super::Event),
//! [`Condvar`](super::Condvar) and [`Barrier`](super::Barrier) wait for.
//!
//! It is rung for the one who listened longest, or for all. A ring for all is over at once: a count
//! goes up, and whoever began to listen before that has heard it, whether it was woken yet or not.
//! Invariant: a ring for one ends with one who heard it: dropped before that, it rings the next.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::current::{self, WaitsFor, budget};
use crate::wait::{WaitKey, WaitQueue};

/// Rings for who listens.
pub(crate) struct NotifyList {
    /// The notes say how often it had been rung for all before.
    waiters: WaitQueue<u64>,
    generation: Cell<u64>,
    /// A ring for one that nobody hears is kept for who listens next.
    keeps_permit: bool,
    has_permit: Cell<bool>,
}

/// Left for those who were woken by a ring for all, and have nothing to pass on.
const FOR_ALL: u64 = u64::MAX;

/// One who listens, from when it is made to the rings for all, from its first poll to the others.
#[must_use = "a future does nothing unless it is awaited"]
pub(crate) struct Wait<'a> {
    waiters: &'a NotifyList,
    since: u64,
    key: WaitKey,
}

impl NotifyList {
    pub(crate) const fn new(keeps_permit: bool) -> NotifyList {
        let (generation, has_permit) = (Cell::new(0), Cell::new(false));
        NotifyList { waiters: WaitQueue::new(), generation, keeps_permit, has_permit }
    }

    pub(crate) fn wait(&self) -> Wait<'_> {
        Wait { waiters: self, since: self.generation.get(), key: WaitKey::default() }
    }

    /// Whether a ring is kept for who listens next.
    pub(crate) fn has_permit(&self) -> bool {
        self.has_permit.get()
    }

    /// Rings for the `n` who listened longest.
    pub(crate) fn notify(&self, mut n: usize) {
        self.waiters.call(|waiters| match waiters.first()? {
            // It heard a ring for all that is still waking.
            since if since < self.generation.get() => waiters.wake_one_with(FOR_ALL),
            _ => {
                n = n.checked_sub(1)?;
                waiters.wake_one()
            }
        });
        if n > 0 && self.keeps_permit {
            self.has_permit.set(true);
        }
    }

    /// Rings for all who listen.
    pub(crate) fn notify_all(&self) {
        self.generation.set(self.generation.get() + 1);
        self.notify(0);
    }
}

impl Wait<'_> {
    /// `Ready` once the bell was rung for this one. It may still pass that on, by being dropped,
    /// until [`consume`](Wait::consume).
    pub(crate) fn poll_notified(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Wait { waiters, since, key } = self;
        let is_notified = |key: WaitKey| match key.is_registered() {
            _ if *since != waiters.generation.get() => true,
            true => waiters.waiters.woken(key).is_some(),
            false => waiters.has_permit.get(),
        };
        match waiters.waiters.poll(key, *since, cx, is_notified) {
            Poll::Pending => current::pending(WaitsFor::Event),
            ready => ready,
        }
    }

    /// Takes the ring that [`poll_notified`](Wait::poll_notified) told of.
    pub(crate) fn consume(&mut self) {
        if self.key.is_registered() {
            drop(self.waiters.waiters.leave(&mut self.key));
        } else if self.since == self.waiters.generation.get() {
            self.waiters.has_permit.set(false);
        }
    }
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll_notified(cx));
        ready!(budget::poll_left(cx));
        self.consume();
        budget::spend();
        Poll::Ready(())
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if !self.key.is_registered() {
            return;
        }
        let (woken, _waker) = self.waiters.waiters.leave(&mut self.key);
        if woken.is_some_and(|note| note != FOR_ALL) {
            self.waiters.notify(1);
        }
    }
}
