//! The sending half of a watch channel.

use std::fmt;
use std::rc::Rc;

use super::mpsc_error::SendError;
use super::watch_receiver::Receiver;
use super::watch_value::{Ref, Shared};
use crate::current::budget;

/// Changes the value. [`channel`](super::watch::channel) creates it; its clones change the same
/// value.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Creates a channel without a receiver. [`subscribe`](Sender::subscribe) creates receivers.
    pub fn new(value: T) -> Sender<T> {
        Sender { shared: Shared::new(value) }
    }

    /// Changes the value, and wakes the waiting receivers.
    ///
    /// # Errors
    ///
    /// Returns the value if there is no receiver. The value in the channel stays.
    ///
    /// # Panics
    ///
    /// Panics inside of a `send_modify` or `send_if_modified` on the same value.
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.shared.receivers.get() == 0 {
            return Err(SendError(value));
        }
        // A destructor is user code: it sees the channel with its new value.
        drop(self.replace(value));
        Ok(())
    }

    /// Changes the value, wakes the waiting receivers, and returns the old value. It needs no
    /// receiver.
    ///
    /// The old value is cloned only if a [`Ref`] of it is held.
    ///
    /// # Panics
    ///
    /// Panics where [`send`](Sender::send) does.
    ///
    /// ```
    /// let (sender, receiver) = evloop::sync::watch::channel(1);
    /// drop(receiver);
    /// assert_eq!(sender.send_replace(2), 1);
    /// assert_eq!(*sender.borrow(), 2);
    /// ```
    #[track_caller]
    pub fn send_replace(&self, value: T) -> T
    where
        T: Clone,
    {
        Rc::unwrap_or_clone(self.replace(value))
    }

    #[track_caller]
    fn replace(&self, value: T) -> Rc<T> {
        let mut modify = self.shared.modify();
        let old = modify.value.replace(Rc::new(value));
        drop(modify);
        self.shared.notify_changed();
        old.expect("the value was taken out")
    }

    /// Changes the value in place, and wakes the waiting receivers. It needs no receiver.
    ///
    /// The value is cloned only if a [`Ref`] of it is held, which keeps the value as it was. If
    /// `modify` panics, the value stays as `modify` left it, and no receiver is notified.
    ///
    /// # Panics
    ///
    /// Panics inside of itself on the same value. `modify` must not borrow the value either.
    #[track_caller]
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
    #[track_caller]
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
    #[track_caller]
    pub fn borrow(&self) -> Ref<T> {
        self.shared.borrow(self.shared.version.get())
    }

    /// Creates another receiver, which has seen the value as it is now.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::new(&self.shared, self.shared.version.get())
    }

    /// Returns the number of receivers.
    pub fn receiver_count(&self) -> usize {
        self.shared.receivers.get()
    }

    /// Returns the number of senders.
    pub fn sender_count(&self) -> usize {
        self.shared.senders.get()
    }

    /// Returns the number of receivers that wait for a change. Counts them one by one.
    #[doc(alias = "tasks_waiting_receive")]
    pub fn receivers_waiting(&self) -> usize {
        self.shared.changed.waiting()
    }

    /// Returns whether both change the same value.
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Rc::ptr_eq(&self.shared, &other.shared)
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

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.shared.senders.set(self.shared.senders.get() + 1);
        Sender { shared: self.shared.clone() }
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

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.shared.version.get();
        f.debug_struct("Sender").field("version", &version).finish_non_exhaustive()
    }
}
