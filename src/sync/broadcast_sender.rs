//! The sending half of a broadcast channel.

use std::fmt;
use std::rc::{Rc, Weak};

use super::broadcast_queue::Shared;
use super::broadcast_receiver::Receiver;
use super::mpsc_error::SendError;
use crate::current::budget;

/// Sends to all receivers. [`channel`](super::broadcast::channel) creates it; its clones send to
/// the same channel.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

/// A sender that does not keep the channel open. [`Sender::downgrade`] creates it.
///
/// ```
/// let (sender, mut receiver) = evloop::sync::broadcast::channel(1);
/// let weak = sender.downgrade();
/// weak.upgrade().unwrap().send(7).unwrap();
/// drop(sender);
/// assert!(weak.upgrade().is_none() && receiver.is_closed());
/// assert_eq!(receiver.try_recv(), Ok(7));
/// ```
pub struct WeakSender<T> {
    shared: Weak<Shared<T>>,
}

impl<T> Sender<T> {
    /// Creates a channel without a receiver. [`subscribe`](Sender::subscribe) creates receivers.
    ///
    /// # Panics
    ///
    /// Panics if `capacity` is zero.
    #[track_caller]
    pub fn new(capacity: usize) -> Sender<T> {
        assert!(
            capacity > 0,
            "a broadcast channel needs a capacity of at least 1: it is the number of values that a \
             slow receiver may be late"
        );
        Sender { shared: Shared::new(capacity) }
    }

    /// Sends a value to all receivers. Returns the number of receivers.
    ///
    /// # Errors
    ///
    /// Returns the value if there is no receiver.
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        let shared = &self.shared;
        let receivers = shared.receivers.get();
        if receivers == 0 {
            return Err(SendError(value));
        }
        shared.push(value);
        Ok(receivers)
    }

    /// Creates another receiver. It receives the values that are sent from now on.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::new(&self.shared)
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
            if self.receiver_count() == 0 {
                return budget::unit().await;
            }
            wait.await;
        }
    }

    /// Returns the number of values in the channel: those that some receiver has not received.
    pub fn len(&self) -> usize {
        self.shared.len()
    }

    /// Returns whether no value is in the channel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether both send to the same channel.
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Rc::ptr_eq(&self.shared, &other.shared)
    }

    /// Creates a weak sender, which does not keep the channel open.
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender { shared: Rc::downgrade(&self.shared) }
    }

    /// Returns the number of senders.
    #[doc(alias = "sender_count")]
    pub fn strong_count(&self) -> usize {
        self.shared.senders.get()
    }

    /// Returns the number of weak senders.
    pub fn weak_count(&self) -> usize {
        Rc::weak_count(&self.shared)
    }

    /// Returns the number of receivers.
    pub fn receiver_count(&self) -> usize {
        self.shared.receivers.get()
    }

    /// Returns the number of receivers that wait for a value. Counts them one by one.
    #[doc(alias = "tasks_waiting_receive")]
    pub fn receivers_waiting(&self) -> usize {
        self.shared.waiters.waiting()
    }
}

impl<T> WeakSender<T> {
    /// Returns a sender, or `None` if all senders were dropped: the channel never opens again.
    pub fn upgrade(&self) -> Option<Sender<T>> {
        let shared = self.shared.upgrade().filter(|shared| shared.senders.get() > 0)?;
        shared.senders.set(shared.senders.get() + 1);
        Some(Sender { shared })
    }

    /// Returns the number of senders.
    pub fn strong_count(&self) -> usize {
        self.shared.upgrade().map_or(0, |shared| shared.senders.get())
    }

    /// Returns the number of weak senders, and 0 once all receivers and senders were dropped.
    pub fn weak_count(&self) -> usize {
        self.shared.weak_count()
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
            self.shared.waiters.notify_all();
        }
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> WeakSender<T> {
        WeakSender { shared: self.shared.clone() }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let receivers = self.receiver_count();
        f.debug_struct("Sender").field("receivers", &receivers).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender").finish_non_exhaustive()
    }
}
