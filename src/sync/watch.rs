//! One value that changes, and those who watch it: they see the newest, not each.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::ops::Deref;
use std::rc::Rc;

pub use super::mpsc_error::SendError;
use super::notify_list::NotifyList;
use crate::current::budget;

/// Changes the value; made by [`channel`]. Its clones change the same.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

/// Watches the value; made by [`channel`] and [`Sender::subscribe`]. A clone has seen the same.
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
    /// The version that it has seen.
    seen: u64,
}

/// The value as it was when it was borrowed.
///
/// It may be held at will: a change makes another value, and this one stays as it is.
pub struct Ref<T>(Rc<T>);

/// The senders were dropped: the value will not change any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError(());

struct Shared<T> {
    /// `None` while it is being modified.
    value: RefCell<Option<Rc<T>>>,
    /// How often it was changed.
    version: Cell<u64>,
    senders: Cell<usize>,
    receivers: Cell<usize>,
    /// Rung when the value has changed, or the senders are gone.
    changed: NotifyList,
    /// Rung when the receivers are gone.
    closed: NotifyList,
}

/// The value while it is being modified. Dropped, it is back, also if that panicked.
struct Modify<'a, T> {
    shared: &'a Shared<T>,
    value: Option<Rc<T>>,
}

/// A channel whose receivers see its newest value. They have seen `value` already.
///
/// ```
/// use evloop::sync::watch;
///
/// evloop::block_on(async {
///     let (sender, mut level) = watch::channel("info");
///     let watcher = evloop::spawn(async move {
///         level.changed().await.unwrap();
///         *level.borrow()
///     });
///     sender.send("debug").unwrap();
///     assert_eq!(watcher.await.unwrap(), "debug");
/// });
/// ```
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(Shared {
        value: RefCell::new(Some(Rc::new(value))),
        version: Cell::new(0),
        senders: Cell::new(1),
        receivers: Cell::new(0),
        changed: NotifyList::new(false),
        closed: NotifyList::new(false),
    });
    let sender = Sender { shared };
    let receiver = sender.subscribe();
    (sender, receiver)
}

impl<T> Sender<T> {
    /// Changes the value, and tells the receivers.
    ///
    /// # Errors
    ///
    /// If there is no receiver, the value comes back, and the one before stays.
    ///
    /// # Panics
    ///
    /// From within `send_modify` or `send_if_modified` on the same value.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.shared.receivers.get() == 0 {
            return Err(SendError(value));
        }
        let mut modify = self.shared.modify();
        let old = modify.value.replace(Rc::new(value));
        drop(modify);
        self.shared.tell();
        drop(old);
        Ok(())
    }

    /// Changes the value in place, and tells the receivers, if there are any.
    ///
    /// Whoever holds what [`borrow`](Sender::borrow) gave keeps the value as it was: only then is
    /// it cloned. If `modify` panics, the value stays as it left it, and nobody is told.
    ///
    /// # Panics
    ///
    /// From within itself on the same value; `modify` must not borrow it either.
    pub fn send_modify(&self, modify: impl FnOnce(&mut T))
    where
        T: Clone,
    {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// The same, but tells the receivers only if `modify` says that it changed something. Returns
    /// what it says.
    ///
    /// # Panics
    ///
    /// As [`send_modify`](Sender::send_modify) does.
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool
    where
        T: Clone,
    {
        let mut value = self.shared.modify();
        let is_modified = modify(Rc::make_mut(value.value.as_mut().expect("it was taken out")));
        drop(value);
        if is_modified {
            self.shared.tell();
        }
        is_modified
    }

    /// The value as it is now.
    ///
    /// # Panics
    ///
    /// From within `send_modify` or `send_if_modified` on the same value.
    pub fn borrow(&self) -> Ref<T> {
        self.shared.borrow()
    }

    /// One more receiver, which has seen the value as it is.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::new(&self.shared, self.shared.version.get())
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.shared.receivers.get()
    }

    /// Whether there is no receiver.
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Waits until there is no receiver.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub async fn closed(&self) {
        loop {
            let wait = self.shared.closed.wait();
            if self.is_closed() {
                return budget::unit().await;
            }
            wait.await;
        }
    }
}

impl<T> Receiver<T> {
    fn new(shared: &Rc<Shared<T>>, seen: u64) -> Receiver<T> {
        shared.receivers.set(shared.receivers.get() + 1);
        Receiver { shared: shared.clone(), seen }
    }

    /// The value as it is now. It does not count as seen.
    ///
    /// # Panics
    ///
    /// From within `send_modify` or `send_if_modified` on the same value.
    pub fn borrow(&self) -> Ref<T> {
        self.shared.borrow()
    }

    /// The value as it is now, which is seen by that.
    ///
    /// # Panics
    ///
    /// As [`borrow`](Receiver::borrow) does.
    pub fn borrow_and_update(&mut self) -> Ref<T> {
        let value = self.shared.borrow();
        self.seen = self.shared.version.get();
        value
    }

    /// Whether the value has changed since it was seen.
    ///
    /// # Errors
    ///
    /// If it has not, and the senders were dropped.
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        let has_changed = self.seen != self.shared.version.get();
        match has_changed || self.shared.senders.get() > 0 {
            true => Ok(has_changed),
            false => Err(RecvError(())),
        }
    }

    /// Waits until the value has changed since it was seen. Then it is seen.
    ///
    /// # Errors
    ///
    /// If it has not, and the senders were dropped.
    ///
    /// # Cancel safety
    ///
    /// No change is lost.
    pub async fn changed(&mut self) -> Result<(), RecvError> {
        poll_fn(budget::poll_left).await;
        let shared = self.shared.clone();
        loop {
            let mut wait = shared.changed.wait();
            let has_changed = self.has_changed();
            if has_changed != Ok(false) {
                self.seen = shared.version.get();
                budget::spend();
                return has_changed.map(drop);
            }
            poll_fn(|cx| wait.poll_notified(cx)).await;
        }
    }

    /// Waits until `is_met` says so of the value, which is seen by that: it may be so at once.
    ///
    /// # Errors
    ///
    /// If it does not, and the senders were dropped.
    ///
    /// # Cancel safety
    ///
    /// What `is_met` was asked about is seen; nothing else changes.
    pub async fn wait_for(
        &mut self,
        mut is_met: impl FnMut(&T) -> bool,
    ) -> Result<Ref<T>, RecvError> {
        loop {
            let value = self.borrow_and_update();
            if is_met(&value) {
                budget::unit().await;
                return Ok(value);
            }
            drop(value);
            self.changed().await?;
        }
    }
}

impl<T> Shared<T> {
    fn borrow(&self) -> Ref<T> {
        let value = self.value.borrow().clone();
        Ref(value.expect("a watched value was borrowed while it was being modified"))
    }

    /// Takes the value out.
    fn modify(&self) -> Modify<'_, T> {
        let value = self.value.take();
        assert!(value.is_some(), "a watched value was changed while it was being modified");
        Modify { shared: self, value }
    }

    /// The value has changed.
    fn tell(&self) {
        self.version.set(self.version.get() + 1);
        self.changed.notify_all();
    }
}

impl<T> Drop for Modify<'_, T> {
    fn drop(&mut self) {
        self.shared.value.replace(self.value.take());
    }
}

impl<T> Deref for Ref<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.shared.senders.set(self.shared.senders.get() + 1);
        Sender { shared: self.shared.clone() }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        Receiver::new(&self.shared, self.seen)
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.senders.set(self.shared.senders.get() - 1);
        if self.shared.senders.get() == 0 {
            self.shared.changed.notify_all();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.receivers.set(self.shared.receivers.get() - 1);
        if self.shared.receivers.get() == 0 {
            self.shared.closed.notify_all();
        }
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value will not change: its senders were dropped")
    }
}

impl Error for RecvError {}

impl From<RecvError> for io::Error {
    fn from(error: RecvError) -> io::Error {
        io::Error::new(io::ErrorKind::UnexpectedEof, error)
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.shared.version.get();
        f.debug_struct("Sender").field("version", &version).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("seen", &self.seen).finish_non_exhaustive()
    }
}
