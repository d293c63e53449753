//! The sending half of a bounded channel.

use std::fmt;
use std::future::Future;
use std::rc::Rc;

use super::mpsc_error::{SendError, TrySendError};
use super::mpsc_queue::Queue;
use super::mpsc_reserve::SendValue;

/// Sends into a bounded channel. [`bounded`](super::mpsc::bounded) creates it; its clones send into
/// the same channel.
///
/// It is no `Sink`; `futures::sink::unfold` makes one of it:
///
/// ```
/// use evloop::sync::mpsc;
/// use futures::{SinkExt, StreamExt, sink, stream};
///
/// evloop::block_on(async {
///     let (sender, receiver) = mpsc::bounded(2);
///     let sink = sink::unfold(sender, async |sender, value| {
///         sender.send(value).await.map(|()| sender)
///     });
///     let numbers = stream::iter([1, 2, 3]).map(Ok);
///     let forward = evloop::spawn(async move { Box::pin(sink).send_all(&mut { numbers }).await });
///     assert_eq!(receiver.take(3).collect::<Vec<_>>().await, [1, 2, 3]);
///     forward.await.unwrap().unwrap();
/// });
/// ```
pub struct Sender<T> {
    pub(super) queue: Rc<Queue<T>>,
}

impl<T> Sender<T> {
    /// Sends a value, and waits while the channel is full. Waiting senders get slots in the order
    /// in which they began to wait.
    ///
    /// # Errors
    ///
    /// Returns the value if the receiver was dropped or closed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, the value is not sent, and is dropped with the
    /// future. Use [`reserve`](Sender::reserve) to keep the value.
    #[doc(alias = "put")]
    pub fn send(&self, value: T) -> impl Future<Output = Result<(), SendError<T>>> {
        SendValue::new(&self.queue, value)
    }

    /// Sends a value if a slot is free now.
    ///
    /// # Errors
    ///
    /// Returns the value if no slot is free or other senders wait for one, or if the receiver was
    /// dropped or closed.
    #[doc(alias = "put_nowait")]
    #[doc(alias = "send_nowait")]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        match self.queue.try_reserve(1) {
            Ok(()) => {
                self.queue.fill(value);
                Ok(())
            }
            Err(TrySendError::Full(())) => Err(TrySendError::Full(value)),
            Err(TrySendError::Closed(())) => Err(TrySendError::Closed(value)),
        }
    }

    /// Sends a value without waiting: if no slot is free, it takes the slot of the oldest value,
    /// which is returned. This is the method of async-channel.
    ///
    /// # Errors
    ///
    /// Returns the value if the receiver was dropped or closed. Also returns it, as
    /// [`TrySendError::Full`], if there is no value to replace: permits and woken senders hold all
    /// slots.
    ///
    /// ```
    /// let (sender, mut receiver) = evloop::sync::mpsc::bounded(2);
    /// for i in 1..=2 {
    ///     assert_eq!(sender.force_send(i), Ok(None));
    /// }
    /// assert_eq!(sender.force_send(3), Ok(Some(1)));
    /// assert_eq!(receiver.try_recv(), Ok(2));
    /// ```
    pub fn force_send(&self, value: T) -> Result<Option<T>, TrySendError<T>> {
        self.queue.force_push(value)
    }

    /// Waits until the receiver is dropped or closed. A task can stop work whose result is not
    /// needed any more.
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

    /// Returns the number of values that can be sent now without waiting.
    #[doc(alias = "capacity")]
    pub fn free(&self) -> usize {
        self.queue.free()
    }

    /// Returns the number of values that the channel can hold.
    #[doc(alias = "max_buffer_size")]
    pub fn max_capacity(&self) -> usize {
        self.queue.max_capacity()
    }

    /// Returns the number of values in the channel.
    #[doc(alias = "qsize")]
    #[doc(alias = "current_buffer_used")]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Returns whether no value is in the channel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether both send into the same channel.
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Rc::ptr_eq(&self.queue, &other.queue)
    }

    /// Returns the number of senders.
    #[doc(alias = "sender_count")]
    #[doc(alias = "open_send_channels")]
    pub fn strong_count(&self) -> usize {
        self.queue.senders()
    }

    /// Returns the number of weak senders.
    pub fn weak_count(&self) -> usize {
        Rc::weak_count(&self.queue)
    }

    /// Returns the number of futures that wait for a slot. Counts them one by one.
    #[doc(alias = "tasks_waiting_send")]
    #[doc(alias = "putters")]
    pub fn senders_waiting(&self) -> usize {
        self.queue.senders_waiting()
    }

    /// Returns 1 if the receiver waits for a value, and 0 otherwise. A receive that was dropped
    /// while it waited counts until the next value is sent.
    #[doc(alias = "tasks_waiting_receive")]
    #[doc(alias = "getters")]
    pub fn receivers_waiting(&self) -> usize {
        self.queue.receivers_waiting()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender { queue: self.queue.add_sender() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.queue.drop_sender();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.queue).finish()
    }
}
