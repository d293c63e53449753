//! The sending half of an unbounded channel between threads.

use std::fmt;
use std::sync::Arc;

use super::mpsc_error::SendError;
use super::thread_queue::ThreadQueue;

/// Sends into an unbounded channel. [`unbounded`](super::thread_channel::unbounded) creates it; its
/// clones send into the same channel.
pub struct UnboundedSender<T> {
    pub(super) queue: Arc<ThreadQueue<T>>,
}

impl<T> UnboundedSender<T> {
    /// Sends a value, from a task or a thread.
    ///
    /// # Errors
    ///
    /// Returns the value if the receiver was dropped or closed.
    #[doc(alias = "put_nowait")]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.queue.push(value)
    }

    /// Waits until the receiver is dropped or closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn closed(&self) {
        self.queue.closed().await;
    }

    /// Returns whether the receiver was dropped or closed.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// Returns the number of values in the channel.
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Returns whether no value is in the channel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether both send into the same channel.
    pub fn same_channel(&self, other: &UnboundedSender<T>) -> bool {
        Arc::ptr_eq(&self.queue, &other.queue)
    }

    /// Returns the number of senders.
    #[doc(alias = "sender_count")]
    pub fn strong_count(&self) -> usize {
        self.queue.senders()
    }

    /// Returns the number of weak senders.
    pub fn weak_count(&self) -> usize {
        Arc::weak_count(&self.queue)
    }

    /// Returns 1 if the receiver waits for a value, and 0 otherwise. A receive that was dropped
    /// while it waited counts until the next value is sent.
    #[doc(alias = "tasks_waiting_receive")]
    pub fn receivers_waiting(&self) -> usize {
        self.queue.receivers_waiting()
    }
}

impl<T> Clone for UnboundedSender<T> {
    fn clone(&self) -> UnboundedSender<T> {
        UnboundedSender { queue: self.queue.add_sender() }
    }
}

impl<T> Drop for UnboundedSender<T> {
    fn drop(&mut self) {
        self.queue.drop_sender();
    }
}

impl<T> fmt::Debug for UnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UnboundedSender").field(&self.queue).finish()
    }
}
