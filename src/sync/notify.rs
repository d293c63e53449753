//! A notification from one task to another.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::notify_list::{NotifyList, Wait};

/// Tells one task, or all that wait, that there is something to look at.
///
/// It holds one permit at most: [`notify_one`](Notify::notify_one) when nobody waits is kept for
/// who waits next, and twice is once. Where what is told stays true, an [`Event`](super::Event)
/// tells it.
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

/// Waits for a notification; made by [`Notify::notified`].
///
/// # Cancel safety
///
/// Dropped after it was chosen and before it told, it passes the notification on. What is lost is
/// the place in the line.
#[must_use = "notified does nothing unless it is awaited"]
pub struct Notified<'a>(Wait<'a>);

impl Notify {
    /// Without a permit.
    pub const fn new() -> Notify {
        Notify { waiters: NotifyList::new(true) }
    }

    /// Waits for a notification, or takes the permit that is there. First come, first served; a
    /// future comes when it is polled first, but for
    /// [`notify_waiters`](Notify::notify_waiters) when it is made.
    pub fn notified(&self) -> Notified<'_> {
        Notified(self.waiters.wait())
    }

    /// Notifies who waited longest. If nobody waits, who waits next.
    pub fn notify_one(&self) {
        self.waiters.notify(1);
    }

    /// Notifies all who wait. Leaves no permit.
    pub fn notify_waiters(&self) {
        self.waiters.notify_all();
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
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
