//! The tasks that wait for a notification: the base of [`Notify`](super::Notify),
//! [`Event`](super::Event), [`Condvar`](super::Condvar), [`Barrier`](super::Barrier),
//! [`CancellationToken`](super::CancellationToken) and the [`broadcast`](super::broadcast) and
//! [`watch`](super::watch) channels.
//!
//! A notification is for a single task, or for all. One for all takes effect at once: it
//! increments the generation, and every future that was created before is notified, woken yet or
//! not. One for a single task is for the longest-waiting task, or for the last. Invariant: it is
//! consumed by one future. A notified future that is dropped before it consumes the notification
//! passes it to the next one.

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

/// The note of waiters that a notification for the last task woke: they pass it on to the last one.
const FOR_LAST: u64 = u64::MAX - 1;

/// The generation of a future that has consumed its notification: it stays notified.
const CONSUMED: u64 = u64::MAX;

/// A future that waits for a notification: for one to all tasks since its creation, for one to a
/// single task since its first poll.
#[must_use = "a future does nothing unless it is awaited"]
pub(crate) struct Wait<'a> {
    list: &'a NotifyList,
    waiter: Waiter,
}

/// A future's place in a list that its owner passes to each call.
pub(super) struct Waiter {
    /// The generation in which the future was created, or [`CONSUMED`].
    since: u64,
    key: WaitKey,
}

impl NotifyList {
    pub(crate) const fn new(stores_permit: bool) -> NotifyList {
        let (generation, has_permit) = (Cell::new(0), Cell::new(false));
        NotifyList { waiters: WaitQueue::new(), generation, stores_permit, has_permit }
    }

    pub(crate) fn wait(&self) -> Wait<'_> {
        Wait { list: self, waiter: Waiter::new(self) }
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

    /// Notifies the task that began to wait last.
    pub(super) fn notify_last(&self) {
        // Those of an older generation are part of a notification for all that is still waking its
        // waiters.
        let is_due = |since| since == self.generation.get();
        if !self.waiters.wake_last(FOR_LAST, is_due) && self.stores_permit {
            self.has_permit.set(true);
        }
    }

    /// Notifies all waiting tasks.
    pub(crate) fn notify_all(&self) {
        self.generation.set(self.generation.get() + 1);
        self.notify(0);
    }
}

impl Waiter {
    pub(super) fn new(list: &NotifyList) -> Waiter {
        Waiter { since: list.generation.get(), key: WaitKey::default() }
    }

    /// Returns `Ready` once this future is notified. Until `consume` is called, dropping the future
    /// passes the notification on.
    #[track_caller]
    fn poll_notified(&mut self, list: &NotifyList, cx: &mut Context<'_>) -> Poll<()> {
        let since = self.since;
        let is_notified = |key: WaitKey| match key.is_registered() {
            _ if since != list.generation.get() => true,
            true => list.waiters.woken(key).is_some(),
            false => list.has_permit.get(),
        };
        match list.waiters.poll(&mut self.key, since, cx, is_notified) {
            Poll::Pending => current::pending(WaitsFor::Event),
            ready => ready,
        }
    }

    /// Takes the notification that `poll_notified` reported.
    fn consume(&mut self, list: &NotifyList) {
        if self.key.is_registered() {
            drop(list.waiters.deregister(&mut self.key));
        } else if self.since == list.generation.get() {
            list.has_permit.set(false);
        }
        self.since = CONSUMED;
    }

    #[track_caller]
    pub(super) fn poll(&mut self, list: &NotifyList, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll_notified(list, cx));
        ready!(budget::poll_left(cx));
        self.consume(list);
        budget::spend();
        Poll::Ready(())
    }

    /// Begins to wait without a waker, or takes the stored notification. Returns whether this
    /// future is notified.
    pub(super) fn enable(&mut self, list: &NotifyList) -> bool {
        if self.since != list.generation.get() {
            return true;
        }
        if !self.key.is_registered() {
            let is_notified = list.has_permit.replace(false);
            list.waiters.enqueue(&mut self.key, self.since, is_notified);
        }
        list.waiters.woken(self.key).is_some()
    }

    /// Ends the wait of a dropped future.
    pub(super) fn leave(&mut self, list: &NotifyList) {
        if !self.key.is_registered() {
            return;
        }
        let (woken, _waker) = list.waiters.deregister(&mut self.key);
        match woken {
            None | Some(FOR_ALL) => {}
            Some(FOR_LAST) => list.notify_last(),
            Some(_) => list.notify(1),
        }
    }
}

impl Wait<'_> {
    /// Returns `Ready` once this future is notified. Until [`consume`](Wait::consume) is called,
    /// dropping the future passes the notification on.
    #[track_caller]
    pub(crate) fn poll_notified(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.waiter.poll_notified(self.list, cx)
    }

    /// Takes the notification that [`poll_notified`](Wait::poll_notified) reported.
    pub(crate) fn consume(&mut self) {
        self.waiter.consume(self.list);
    }

    /// Begins to wait without a waker. Returns whether this future is notified.
    pub(super) fn enable(&mut self) -> bool {
        self.waiter.enable(self.list)
    }
}

impl Future for Wait<'_> {
    type Output = ();

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Wait { list, waiter } = &mut *self;
        waiter.poll(list, cx)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.waiter.leave(self.list);
    }
}
