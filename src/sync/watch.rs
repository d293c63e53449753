//! Holds one value that changes, and lets receivers wait for its newest state.
//!
//! | item | what it is |
//! |---|---|
//! | [`channel`] | creates a channel with its first value |
//! | [`Sender`] | changes the value |
//! | [`Receiver`] | waits for a change, and borrows the newest value |
//! | [`Ref`] | a borrowed value |
//! | [`RecvError`], [`SendError`] | the senders, or the receivers, were dropped |
//!
//! A receiver sees the newest value, not each value.
//!
//! ```
//! use evloop::sync::watch;
//!
//! evloop::block_on(async {
//!     let (sender, mut receiver) = watch::channel(0);
//!     sender.send(1).unwrap();
//!     sender.send(2).unwrap();
//!     receiver.changed().await.unwrap();
//!     assert_eq!(*receiver.borrow(), 2);
//! });
//! ```

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

/// Changes the value. [`channel`] creates it; its clones change the same value.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

/// Watches the value. [`channel`] and [`Sender::subscribe`] create it. A clone has seen the same
/// version.
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
    /// The version that it has seen.
    seen: u64,
}

/// A value as it was when it was borrowed.
///
/// It may be held for any time, also across an `await`: a change makes another value, and this one
/// stays as it is.
pub struct Ref<T>(Rc<T>);

/// The error of a receiver: the senders were dropped, so the value will not change any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError(());

struct Shared<T> {
    /// `None` while the value is being modified.
    value: RefCell<Option<Rc<T>>>,
    /// The number of changes.
    version: Cell<u64>,
    senders: Cell<usize>,
    receivers: Cell<usize>,
    /// Notified when the value has changed, or the last sender was dropped.
    changed: NotifyList,
    /// Notified when the last receiver was dropped.
    closed: NotifyList,
}

/// The value while it is being modified. The drop puts the value back, also after a panic of the
/// caller.
struct Modify<'a, T> {
    shared: &'a Shared<T>,
    value: Option<Rc<T>>,
}

/// Creates a channel whose receivers see its newest value. They have seen `value` already.
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
    /// Changes the value, and wakes the waiting receivers.
    ///
    /// # Errors
    ///
    /// Returns the value if there is no receiver. The value in the channel stays.
    ///
    /// # Panics
    ///
    /// Panics inside of a `send_modify` or `send_if_modified` on the same value.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.shared.receivers.get() == 0 {
            return Err(SendError(value));
        }
        let mut modify = self.shared.modify();
        let old = modify.value.replace(Rc::new(value));
        drop(modify);
        self.shared.notify_changed();
        // A destructor is user code: it sees the channel with its new value.
        drop(old);
        Ok(())
    }

    /// Changes the value in place, and wakes the waiting receivers. It needs no receiver.
    ///
    /// The value is cloned only if a [`Ref`] of it is held, which keeps the value as it was. If
    /// `modify` panics, the value stays as `modify` left it, and no receiver is notified.
    ///
    /// # Panics
    ///
    /// Panics inside of itself on the same value. `modify` must not borrow the value either.
    pub fn send_modify(&self, modify: impl FnOnce(&mut T))
    where
        T: Clone,
    {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// Changes the value in place like [`send_modify`](Sender::send_modify), but wakes the
    /// receivers only if `modify` returns true. Returns what `modify` returns.
    ///
    /// # Panics
    ///
    /// Panics where [`send_modify`](Sender::send_modify) does.
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool
    where
        T: Clone,
    {
        let mut value = self.shared.modify();
        let is_modified =
            modify(Rc::make_mut(value.value.as_mut().expect("the value was taken out")));
        drop(value);
        if is_modified {
            self.shared.notify_changed();
        }
        is_modified
    }

    /// Returns the value as it is now.
    ///
    /// # Panics
    ///
    /// Panics inside of a `send_modify` or `send_if_modified` on the same value.
    pub fn borrow(&self) -> Ref<T> {
        self.shared.borrow()
    }

    /// Creates another receiver, which has seen the value as it is now.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::new(&self.shared, self.shared.version.get())
    }

    /// Returns the number of receivers.
    pub fn receiver_count(&self) -> usize {
        self.shared.receivers.get()
    }

    /// Returns whether there is no receiver.
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Waits until there is no receiver.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn closed(&self) {
        loop {
            // Woken waits look again: a receiver may have been created since.
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

    /// Returns the value as it is now, without marking it as seen.
    ///
    /// # Panics
    ///
    /// Panics inside of a `send_modify` or `send_if_modified` on the same value.
    pub fn borrow(&self) -> Ref<T> {
        self.shared.borrow()
    }

    /// Returns the value as it is now, and marks it as seen.
    ///
    /// # Panics
    ///
    /// Panics where [`borrow`](Receiver::borrow) does.
    pub fn borrow_and_update(&mut self) -> Ref<T> {
        let value = self.shared.borrow();
        self.seen = self.shared.version.get();
        value
    }

    /// Returns whether the value has changed since it was seen.
    ///
    /// # Errors
    ///
    /// Returns an error if the value has not changed and the senders were dropped.
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        let has_changed = self.seen != self.shared.version.get();
        match has_changed || self.shared.senders.get() > 0 {
            true => Ok(has_changed),
            false => Err(RecvError(())),
        }
    }

    /// Waits until the value has changed since it was seen, and marks it as seen.
    ///
    /// # Errors
    ///
    /// Returns an error if the value has not changed and the senders were dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no change.
    pub async fn changed(&mut self) -> Result<(), RecvError> {
        poll_fn(budget::poll_left).await;
        let shared = self.shared.clone();
        loop {
            // Created before the look: it reports every change since, also one that cloning a
            // waker causes.
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

    /// Waits until `is_met` returns true for the value, and marks the value as seen. If it does so
    /// at first, this completes at once.
    ///
    /// # Errors
    ///
    /// Returns an error if `is_met` returned false for the last value and the senders were dropped.
    ///
    /// # Cancel safety
    ///
    /// The values that `is_met` was called with are seen. Nothing else changes.
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

    /// Takes the value out, until the result is dropped.
    fn modify(&self) -> Modify<'_, T> {
        let value = self.value.take();
        assert!(value.is_some(), "a watched value was changed while it was being modified");
        Modify { shared: self, value }
    }

    /// Counts a change, and wakes the waiting receivers.
    fn notify_changed(&self) {
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
