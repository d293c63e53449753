//! The tasks that wait for a notification: what [`Notify`](super::Notify), [`Event`](super::Event),
//! [`Condvar`](super::Condvar) and [`Barrier`](super::Barrier) wait for.
//!
//! A notification is for the longest-waiting task, or for all. One for all is complete at once: a
//! counter goes up, and every future that was made before is notified, whether it is woken yet or
//! not. Invariant: a notification for one is consumed by one future; a notified future that is
//! dropped before that notifies the next one.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::current::{self, WaitsFor, budget};
use crate::wait::{WaitKey, WaitQueue};

/// Notifies the tasks that wait.
pub(crate) struct NotifyList {
    /// A note is the number of notifications for all before the wait.
    waiters: WaitQueue<u64>,
    generation: Cell<u64>,
    /// A notification for one while none waits is kept for the next that does.
    keeps_permit: bool,
    has_permit: Cell<bool>,
}

/// The note of futures that a notification for all woke: they have nothing to hand on.
const FOR_ALL: u64 = u64::MAX;

/// Waits: for notifications for all since it was made, for the others since its first poll.
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

    /// Whether a notification is kept for the next that waits.
    pub(crate) fn has_permit(&self) -> bool {
        self.has_permit.get()
    }

    /// Notifies the `n` longest-waiting tasks.
    pub(crate) fn notify(&self, mut n: usize) {
        self.waiters.call(|waiters| match waiters.first()? {
            // It belongs to a notification for all that is still waking.
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

    /// Notifies all tasks that wait.
    pub(crate) fn notify_all(&self) {
        self.generation.set(self.generation.get() + 1);
        self.notify(0);
    }
}

impl Wait<'_> {
    /// `Ready` once this future is notified. It may still hand that on, by being dropped,
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

    /// Takes the notification that [`poll_notified`](Wait::poll_notified) reported.
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
