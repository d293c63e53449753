//! The receiving half of a broadcast channel.

use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use super::broadcast_error::{RecvError, TryRecvError};
use super::broadcast_queue::Shared;
use crate::current::{self, WaitsFor, budget};

/// Receives every value that is sent after this receiver was created by
/// [`channel`](super::broadcast::channel),
/// [`Sender::subscribe`](super::broadcast::Sender::subscribe) or
/// [`resubscribe`](Receiver::resubscribe).
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
    /// The sequence number of the value that it receives next.
    next: u64,
}

impl<T: Clone> Receiver<T> {
    /// Waits for the next value. The last receiver of a value gets the value itself, the others get
    /// clones.
    ///
    /// # Errors
    ///
    /// Returns [`RecvError::Lagged`] if values were missed, once for all of them. Returns
    /// [`RecvError::Closed`] if all senders were dropped and every value was received.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no value.
    pub async fn recv(&mut self) -> Result<T, RecvError> {
        let Receiver { shared, next } = self;
        poll_fn(budget::poll_left).await;
        loop {
            // Created before the look: it reports every `notify_all` since, also one
            // that cloning a waker causes.
            let mut wait = shared.waiters.wait();
            let received = match shared.take(next) {
                Err(TryRecvError::Empty) => {
                    poll_fn(|cx| match wait.poll_notified(cx) {
                        Poll::Ready(()) => Poll::Ready(()),
                        Poll::Pending => current::pending(WaitsFor::Channel),
                    })
                    .await;
                    continue;
                }
                Ok(value) => Ok(value),
                Err(TryRecvError::Lagged(missed)) => Err(RecvError::Lagged(missed)),
                Err(TryRecvError::Closed) => Err(RecvError::Closed),
            };
            drop(wait);
            budget::spend();
            return received.map(Rc::unwrap_or_clone);
        }
    }

    /// Receives the next value if one is available.
    ///
    /// # Errors
    ///
    /// Returns an error if no value is available, if values were missed, or if the channel is
    /// closed.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.shared.take(&mut self.next).map(Rc::unwrap_or_clone)
    }
}

impl<T> Receiver<T> {
    /// Creates a receiver of the values that are sent from now on.
    pub(super) fn new(shared: &Rc<Shared<T>>) -> Receiver<T> {
        shared.receivers.set(shared.receivers.get() + 1);
        Receiver { shared: shared.clone(), next: shared.next() }
    }

    /// Creates another receiver of the same channel. It receives the values that are sent from now
    /// on, and not those that this receiver has not received yet.
    ///
    /// ```
    /// let (sender, mut receiver) = evloop::sync::broadcast::channel(16);
    /// sender.send("old").unwrap();
    /// assert_eq!(receiver.len(), 1);
    /// receiver = receiver.resubscribe();
    /// assert!(receiver.is_empty());
    /// ```
    pub fn resubscribe(&self) -> Receiver<T> {
        Receiver::new(&self.shared)
    }

    /// Returns the number of values that were sent and that this receiver has not received,
    /// including those that it missed.
    pub fn len(&self) -> usize {
        usize::try_from(self.shared.next() - self.next).unwrap_or(usize::MAX)
    }

    /// Returns whether this receiver has received all values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether all senders were dropped. Values in the channel can still be received.
    pub fn is_closed(&self) -> bool {
        self.sender_strong_count() == 0
    }

    /// Returns whether both receive from the same channel.
    pub fn same_channel(&self, other: &Receiver<T>) -> bool {
        Rc::ptr_eq(&self.shared, &other.shared)
    }

    /// Returns the number of senders.
    #[doc(alias = "sender_count")]
    pub fn sender_strong_count(&self) -> usize {
        self.shared.senders.get()
    }

    /// Returns the number of weak senders.
    pub fn sender_weak_count(&self) -> usize {
        Rc::weak_count(&self.shared)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let unread = self.shared.remove_receiver(self.next);
        if self.shared.receivers.get() == 0 {
            self.shared.closed.notify_all();
        }
        drop(unread);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("next", &self.next).finish_non_exhaustive()
    }
}
