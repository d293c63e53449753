//! A notification from one task to another.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::notify_list::{NotifyList, Wait, Waiter};

/// Wakes one waiting task, or all waiting tasks.
///
/// A `Notify` holds at most one permit. [`notify_one`](Notify::notify_one) without a waiting task
/// stores the permit for the next task that waits; a second call stores no second permit. For a
/// condition that stays true, use an [`Event`](super::Event). The behaviour is that of tokio's
/// `Notify`.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use evloop::sync::Notify;
///
/// evloop::block_on(async {
///     let (work, more) = (Rc::new(RefCell::new(vec![])), Rc::new(Notify::new()));
///     let (todo, ready) = (work.clone(), more.clone());
///     let worker = evloop::spawn(async move {
///         loop {
///             ready.notified().await;
///             while let Some(item) = todo.borrow_mut().pop() {
///                 if item == "end" {
///                     return;
///                 }
///             }
///         }
///     });
///     for item in ["one", "two", "end"] {
///         work.borrow_mut().push(item);
///         more.notify_one();
///     }
///     worker.await.unwrap();
/// });
/// ```
pub struct Notify {
    waiters: NotifyList,
}

/// A future that waits for a notification. [`Notify::notified`] creates it.
///
/// # Cancel safety
///
/// A future that is notified, and dropped before it completes, notifies the next waiting task.
/// Dropping a waiting future loses only its place in the wait queue.
#[must_use = "notified does nothing unless it is awaited"]
pub struct Notified<'a>(Wait<'a>);

/// A future that waits for a notification, and owns its `Notify`. [`Notify::notified_owned`]
/// creates it.
///
/// # Cancel safety
///
/// The same as for [`Notified`].
#[must_use = "notified does nothing unless it is awaited"]
pub struct OwnedNotified {
    notify: Rc<Notify>,
    waiter: Waiter,
}

impl Notify {
    /// Creates a `Notify` without a permit.
    pub const fn new() -> Notify {
        Notify { waiters: NotifyList::new(true) }
    }

    /// Waits for a notification, or takes the stored permit.
    ///
    /// Futures are served first come, first served. A future waits from its first poll; but
    /// [`notify_waiters`](Notify::notify_waiters) reaches it from its creation.
    #[doc(alias = "park")]
    pub fn notified(&self) -> Notified<'_> {
        Notified(self.waiters.wait())
    }

    /// Waits like [`notified`](Notify::notified), in a future that borrows nothing.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use evloop::sync::Notify;
    ///
    /// evloop::block_on(async {
    ///     let notify = Rc::new(Notify::new());
    ///     let task = evloop::spawn(notify.clone().notified_owned());
    ///     notify.notify_waiters();
    ///     task.await.unwrap();
    /// });
    /// ```
    pub fn notified_owned(self: Rc<Self>) -> OwnedNotified {
        let waiter = Waiter::new(&self.waiters);
        OwnedNotified { notify: self, waiter }
    }

    /// Notifies the longest-waiting task. If no task waits, stores a permit for the next one.
    #[doc(alias = "unpark")]
    pub fn notify_one(&self) {
        self.waiters.notify(1);
    }

    /// Notifies the task that began to wait last. If no task waits, stores a permit for the next
    /// one.
    pub fn notify_last(&self) {
        self.waiters.notify_last();
    }

    /// Notifies all waiting tasks. Stores no permit.
    #[doc(alias = "unpark_all")]
    #[doc(alias = "notify_all")]
    pub fn notify_waiters(&self) {
        self.waiters.notify_all();
    }

    /// Returns the number of futures that wait for a notification. Counts them one by one.
    #[doc(alias = "tasks_waiting")]
    pub fn waiting(&self) -> usize {
        self.waiters.waiting()
    }
}

impl Notified<'_> {
    /// Begins to wait before the first poll, so that [`Notify::notify_one`] reaches this future.
    /// Returns whether the future is notified: then the next poll completes it.
    ///
    /// A notification that it has taken is passed on if the future is dropped.
    ///
    /// ```
    /// use std::pin::pin;
    /// use evloop::sync::Notify;
    ///
    /// evloop::block_on(async {
    ///     let (notify, flag) = (Notify::new(), std::cell::Cell::new(false));
    ///     let mut notified = pin!(notify.notified());
    ///     notified.as_mut().enable();
    ///     // From here on, no notification is missed.
    ///     if !flag.get() {
    ///         notify.notify_one();
    ///         notified.await;
    ///     }
    /// });
    /// ```
    pub fn enable(mut self: Pin<&mut Self>) -> bool {
        self.0.enable()
    }
}

impl OwnedNotified {
    /// Begins to wait before the first poll, as [`Notified::enable`] does.
    pub fn enable(mut self: Pin<&mut Self>) -> bool {
        let OwnedNotified { notify, waiter } = &mut *self;
        waiter.enable(&notify.waiters)
    }
}

impl Future for Notified<'_> {
    type Output = ();

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl Future for OwnedNotified {
    type Output = ();

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let OwnedNotified { notify, waiter } = &mut *self;
        waiter.poll(&notify.waiters, cx)
    }
}

impl Drop for OwnedNotified {
    fn drop(&mut self) {
        self.waiter.leave(&self.notify.waiters);
    }
}

impl Default for Notify {
    fn default() -> Notify {
        Notify::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notify")
            .field("has_permit", &self.waiters.has_permit())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Notified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notified").finish_non_exhaustive()
    }
}

impl fmt::Debug for OwnedNotified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedNotified").finish_non_exhaustive()
    }
}
