//! The tasks that wait for a notification: the base of [`Notify`](super::Notify),
//! [`Event`](super::Event), [`Condvar`](super::Condvar), [`Barrier`](super::Barrier),
//! [`CancellationToken`](super::CancellationToken) and the [`broadcast`](super::broadcast) and
//! [`watch`](super::watch) channels.
//!
//! A notification is for the longest-waiting task, or for all. One for all takes effect at once: it
//! increments the generation, and every future that was created before is notified, woken yet or
//! not. Invariant: a notification for one task is consumed by one future. A notified future that is
//! dropped before it consumes the notification passes it to the next one.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::current::{self, WaitsFor, budget};
use crate::wait::{WaitKey, WaitQueue};

/// A list of tasks that wait for notifications.
pub(crate) struct NotifyList {
    /// A waiter's note is the generation in which its future was created.
    waiters: WaitQueue<u64>,
    generation: Cell<u64>,
    /// Whether a notification for one task is stored if no task waits.
    stores_permit: bool,
    has_permit: Cell<bool>,
}

/// The note of waiters that a notification for all woke: they have no notification to pass on.
const FOR_ALL: u64 = u64::MAX;

/// A future that waits for a notification: for one to all tasks since its creation, for one to a
/// single task since its first poll.
#[must_use = "a future does nothing unless it is awaited"]
pub(crate) struct Wait<'a> {
    waiters: &'a NotifyList,
    since: u64,
    key: WaitKey,
}

impl NotifyList {
    pub(crate) const fn new(stores_permit: bool) -> NotifyList {
        let (generation, has_permit) = (Cell::new(0), Cell::new(false));
        NotifyList { waiters: WaitQueue::new(), generation, stores_permit, has_permit }
    }

    pub(crate) fn wait(&self) -> Wait<'_> {
        Wait { waiters: self, since: self.generation.get(), key: WaitKey::default() }
    }

    /// Returns whether a notification is stored for the next task that waits.
    pub(crate) fn has_permit(&self) -> bool {
        self.has_permit.get()
    }

    /// Returns the number of tasks that wait. Takes time in proportion to that number.
    pub(crate) fn waiting(&self) -> usize {
        self.waiters.count(|_| true)
    }

    /// Notifies the `n` longest-waiting tasks.
    pub(crate) fn notify(&self, mut n: usize) {
        self.waiters.call(|waiters| match waiters.first()? {
            // The waiter is part of a notification for all that is still waking its waiters.
            since if since < self.generation.get() => waiters.wake_one_with(FOR_ALL),
            _ => {
                n = n.checked_sub(1)?;
                waiters.wake_one()
            }
        });
        if n > 0 && self.stores_permit {
            self.has_permit.set(true);
        }
    }

    /// Notifies all waiting tasks.
    pub(crate) fn notify_all(&self) {
        self.generation.set(self.generation.get() + 1);
        self.notify(0);
    }
}

impl Wait<'_> {
    /// Returns `Ready` once this future is notified. Until [`consume`](Wait::consume) is called,
    /// dropping the future passes the notification on.
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
            drop(self.waiters.waiters.deregister(&mut self.key));
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
        let (woken, _waker) = self.waiters.waiters.deregister(&mut self.key);
        if woken.is_some_and(|note| note != FOR_ALL) {
            self.waiters.notify(1);
        }
    }
}
