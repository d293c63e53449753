//! Sends values from many tasks to one receiver.
//!
//! | item | what it is |
//! |---|---|
//! | [`bounded`], [`unbounded`] | create a channel |
//! | [`Sender`] | sends into a bounded channel; waits while it is full |
//! | [`UnboundedSender`] | sends into an unbounded channel; never waits |
//! | [`Receiver`] | receives the values, as a future or a `Stream` |
//! | [`Permit`] | a reserved slot of a bounded channel |
//! | [`SendError`], [`TrySendError`], [`TryRecvError`] | the channel is closed, full or empty |
//!
//! ```
//! use evloop::sync::mpsc;
//!
//! evloop::block_on(async {
//!     let (sender, mut receiver) = mpsc::bounded(1);
//!     let permit = sender.reserve().await.unwrap();
//!     assert!(sender.try_send("full").is_err());
//!     permit.send("reserved");
//!     assert_eq!(receiver.recv().await, Some("reserved"));
//! });
//! ```

use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_core::Stream;

pub use super::mpsc_error::{SendError, TryRecvError, TrySendError};
use super::mpsc_queue::{Queue, Reserve, UNBOUNDED};

/// Sends into a bounded channel. [`bounded`] creates it; its clones send into the same channel.
#[doc(alias = "MemorySendChannel")]
pub struct Sender<T> {
    queue: Rc<Queue<T>>,
}

/// Sends into an unbounded channel. [`unbounded`] creates it; its clones send into the same
/// channel.
pub struct UnboundedSender<T> {
    queue: Rc<Queue<T>>,
}

/// Receives the values of a channel, in order. [`bounded`] and [`unbounded`] create it. It is also
/// a `Stream`.
#[doc(alias = "MemoryReceiveChannel")]
#[doc(alias = "UnboundedReceiver")]
pub struct Receiver<T> {
    queue: Rc<Queue<T>>,
}

/// A reserved slot of a channel. [`Sender::reserve`] creates it. Dropping it releases the slot.
#[must_use = "a permit releases its slot when it is dropped"]
pub struct Permit<'a, T> {
    queue: &'a Queue<T>,
}

/// Creates a channel that holds up to `capacity` values. A sender waits while the channel is full.
///
/// # Panics
///
/// Panics if `capacity` is zero.
///
/// ```
/// use evloop::sync::mpsc;
///
/// evloop::block_on(async {
///     let (sender, mut receiver) = mpsc::bounded(2);
///     let _task = evloop::spawn(async move {
///         for i in 0..10 {
///             sender.send(i).await.unwrap();
///         }
///     });
///     let mut sum = 0;
///     while let Some(i) = receiver.recv().await {
///         sum += i;
///     }
///     assert_eq!(sum, 45);
/// });
/// ```
#[doc(alias = "open_memory_channel")]
#[doc(alias = "channel")]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a bounded queue needs a capacity of at least 1");
    let queue = Queue::new(capacity);
    (Sender { queue: queue.clone() }, Receiver { queue })
}

/// Creates a channel without a limit: sending never waits, so the buffer grows if the receiver is
/// slow.
///
/// ```
/// let (sender, mut receiver) = evloop::sync::mpsc::unbounded();
/// sender.send(7).unwrap();
/// drop(sender);
/// assert_eq!(receiver.try_recv(), Ok(7));
/// assert!(receiver.try_recv().is_err());
/// ```
#[doc(alias = "unbounded_channel")]
pub fn unbounded<T>() -> (UnboundedSender<T>, Receiver<T>) {
    let queue = Queue::new(UNBOUNDED);
    (UnboundedSender { queue: queue.clone() }, Receiver { queue })
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
        let mut reserve = Reserve::new(&self.queue);
        let mut value = Some(value);
        poll_fn(move |cx| reserve.poll_send(cx, &mut value))
    }

    /// Waits for a free slot, and reserves it.
    ///
    /// # Errors
    ///
    /// Returns an error if the receiver was dropped or closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses only its place among the waiting senders.
    pub async fn reserve(&self) -> Result<Permit<'_, T>, SendError<()>> {
        let mut reserve = Reserve::new(&self.queue);
        poll_fn(|cx| reserve.poll(cx)).await?;
        Ok(Permit { queue: &self.queue })
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
        match self.try_reserve() {
            Ok(permit) => {
                permit.send(value);
                Ok(())
            }
            Err(TrySendError::Full(())) => Err(TrySendError::Full(value)),
            Err(TrySendError::Closed(())) => Err(TrySendError::Closed(value)),
        }
    }

    /// Reserves a slot if one is free now.
    ///
    /// # Errors
    ///
    /// Returns an error if no slot is free or other senders wait for one, or if the receiver was
    /// dropped or closed.
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        self.queue.try_reserve()?;
        Ok(Permit { queue: &self.queue })
    }

    /// Returns the number of values that can be sent now without waiting.
    #[doc(alias = "capacity")]
    pub fn free(&self) -> usize {
        self.queue.free()
    }

    /// Returns whether the receiver was dropped or closed.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

impl<T> UnboundedSender<T> {
    /// Sends a value.
    ///
    /// # Errors
    ///
    /// Returns the value if the receiver was dropped or closed.
    #[doc(alias = "put_nowait")]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.queue.push(value)
    }

    /// Returns whether the receiver was dropped or closed.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
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
        poll_fn(|cx| self.poll_recv(cx))
    }

    /// Polls for the next value, as [`recv`](Receiver::recv) does.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.queue.poll_recv(cx)
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

    /// Returns the number of values in the channel.
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Returns whether no value is in the channel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Permit<'_, T> {
    /// Sends a value into the slot. If the receiver was dropped, the value is dropped.
    pub fn send(self, value: T) {
        let queue = self.queue;
        mem::forget(self);
        queue.fill(value);
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.queue.release_reserved();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.queue.drop_receiver();
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender { queue: self.queue.add_sender() }
    }
}

impl<T> Clone for UnboundedSender<T> {
    fn clone(&self) -> UnboundedSender<T> {
        UnboundedSender { queue: self.queue.add_sender() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.queue.drop_sender();
    }
}

impl<T> Drop for UnboundedSender<T> {
    fn drop(&mut self) {
        self.queue.drop_sender();
    }
}

impl<T> Stream for Receiver<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_recv(cx)
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.queue).finish()
    }
}

impl<T> fmt::Debug for UnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UnboundedSender").field(&self.queue).finish()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&self.queue).finish()
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(self.queue).finish()
    }
}
