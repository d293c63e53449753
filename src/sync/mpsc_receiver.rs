//! The receiving half of a channel.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::mpsc_error::TryRecvError;
use super::mpsc_queue::Queue;
use crate::current::leaf;

/// Receives the values of a channel, in order. [`bounded`](super::mpsc::bounded) and
/// [`unbounded`](super::mpsc::unbounded) create it. It is also a `Stream`.
pub struct Receiver<T> {
    pub(super) queue: Rc<Queue<T>>,
}

/// The future of [`Receiver::recv`].
#[must_use = "a value is not received unless the future is awaited"]
struct Recv<'a, T> {
    receiver: &'a mut Receiver<T>,
}

impl<T> Receiver<T> {
    /// Waits for the next value. Returns `None` at the end of the stream: the senders were dropped
    /// or the receiver was closed, and every value was received.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no value.
    #[doc(alias = "get")]
    #[doc(alias = "receive")]
    pub fn recv(&mut self) -> impl Future<Output = Option<T>> {
        Recv { receiver: self }
    }

    /// Polls for the next value, as [`recv`](Receiver::recv) does.
    #[inline]
    #[track_caller]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.queue.poll_recv(cx)
    }

    /// Waits until the channel holds a value, and moves up to `limit` values to the end of
    /// `buffer`. Returns their number: 0 at the end of the stream, or if `limit` is 0.
    ///
    /// However many values it moves, it counts as one receive in the budget of a poll.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no value: it moves values only when it completes.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let (sender, mut receiver) = evloop::sync::mpsc::unbounded();
    ///     (1..=5).for_each(|i| sender.send(i).unwrap());
    ///     let mut batch = Vec::new();
    ///     assert_eq!(receiver.recv_many(&mut batch, 3).await, 3);
    ///     assert_eq!(receiver.recv_many(&mut batch, 3).await, 2);
    ///     assert_eq!(batch, [1, 2, 3, 4, 5]);
    /// });
    /// ```
    #[doc(alias = "get_batch")]
    pub fn recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> impl Future<Output = usize> {
        leaf(move |cx| self.poll_recv_many(cx, buffer, limit))
    }

    /// Polls for values, as [`recv_many`](Receiver::recv_many) does.
    pub fn poll_recv_many(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<T>,
        limit: usize,
    ) -> Poll<usize> {
        self.queue.poll_recv_many(cx, buffer, limit)
    }

    /// Returns the next value if one is available.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is empty, or is at its end.
    #[doc(alias = "get_nowait")]
    #[doc(alias = "receive_nowait")]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.queue.try_recv()
    }

    /// Closes the channel for senders. Values in the channel, and values of permits, can still be
    /// received.
    pub fn close(&mut self) {
        self.queue.close();
    }

    /// Returns whether no sender can send any more: all were dropped, or this receiver was closed.
    /// Values in the channel, and values of permits, can still be received.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed() || self.queue.senders() == 0
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

    /// Returns the number of values that can be sent now without waiting.
    #[doc(alias = "capacity")]
    pub fn free(&self) -> usize {
        self.queue.free()
    }

    /// Returns the number of values that the channel can hold: `usize::MAX` if it is unbounded.
    #[doc(alias = "max_buffer_size")]
    pub fn max_capacity(&self) -> usize {
        self.queue.max_capacity()
    }

    /// Returns the number of senders.
    #[doc(alias = "sender_count")]
    #[doc(alias = "open_send_channels")]
    pub fn sender_strong_count(&self) -> usize {
        self.queue.senders()
    }

    /// Returns the number of weak senders.
    pub fn sender_weak_count(&self) -> usize {
        Rc::weak_count(&self.queue)
    }

    /// Returns the number of futures that wait for a slot. Counts them one by one.
    #[doc(alias = "tasks_waiting_send")]
    #[doc(alias = "putters")]
    pub fn senders_waiting(&self) -> usize {
        self.queue.senders_waiting()
    }
}

impl<T> Future for Recv<'_, T> {
    type Output = Option<T>;

    #[inline]
    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.receiver.poll_recv(cx)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.queue.drop_receiver();
    }
}

impl<T> Stream for Receiver<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_recv(cx)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&self.queue).finish()
    }
}
