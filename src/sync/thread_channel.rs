//! Sends values between threads: from a thread to an event loop, back, or from loop to loop.
//!
//! A task awaits where a thread blocks. For the tasks of one thread, [`mpsc`](super::mpsc) needs no
//! lock.
//!
//! | item | what it is |
//! |---|---|
//! | [`bounded`], [`unbounded`] | create a channel |
//! | [`Sender`] | sends into a bounded channel; waits or blocks while it is full |
//! | [`UnboundedSender`] | sends into an unbounded channel; never waits |
//! | [`Receiver`] | receives the values: awaits, blocks, or is a `Stream` |
//! | [`Permit`] | a reserved slot of a bounded channel |
//! | [`SendError`], [`TrySendError`], [`TryRecvError`] | the channel is closed, full or empty |
//!
//! ```
//! use evloop::sync::thread_channel;
//!
//! let (requests, mut inbox) = thread_channel::bounded(8);
//! let (answers, mut replies) = thread_channel::unbounded();
//! let thread = std::thread::spawn(move || {
//!     while let Some(n) = inbox.blocking_recv() {
//!         answers.send(n * n).unwrap();
//!     }
//! });
//! evloop::block_on(async {
//!     for n in 1..=3 {
//!         requests.send(n).await.unwrap();
//!         assert_eq!(replies.recv().await, Some(n * n));
//!     }
//! });
//! drop(requests);
//! thread.join().unwrap();
//! ```

use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::blocked::block_on;
pub use super::mpsc_error::{SendError, TryRecvError, TrySendError};
use super::thread_queue::{Reserve, ThreadQueue};

/// Sends into a bounded channel. [`bounded`] creates it; its clones send into the same channel.
pub struct Sender<T> {
    queue: Arc<ThreadQueue<T>>,
}

/// Sends into an unbounded channel. [`unbounded`] creates it; its clones send into the same
/// channel.
pub struct UnboundedSender<T> {
    queue: Arc<ThreadQueue<T>>,
}

/// Receives the values of a channel, in order. [`bounded`] and [`unbounded`] create it. It is also
/// a `Stream`.
pub struct Receiver<T> {
    queue: Arc<ThreadQueue<T>>,
}

/// A reserved slot of a channel. [`Sender::reserve`] creates it. Dropping it releases the slot.
#[must_use = "a permit releases its slot when it is dropped"]
pub struct Permit<'a, T> {
    queue: &'a ThreadQueue<T>,
}

/// Creates a channel that holds up to `capacity` values. A sender waits while the channel is full.
///
/// # Panics
///
/// Panics if `capacity` is zero.
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a bounded queue needs a capacity of at least 1");
    let queue = ThreadQueue::new(capacity);
    (Sender { queue: queue.clone() }, Receiver { queue })
}

/// Creates a channel without a limit: sending never waits, so the buffer grows if the receiver is
/// slow.
pub fn unbounded<T>() -> (UnboundedSender<T>, Receiver<T>) {
    let queue = ThreadQueue::new(usize::MAX);
    (UnboundedSender { queue: queue.clone() }, Receiver { queue })
}

impl<T> Sender<T> {
    /// Sends a value, and waits while the channel is full. Waiting senders, tasks and threads
    /// alike, get slots in the order in which they began to wait.
    ///
    /// # Errors
    ///
    /// Returns the value if the receiver was dropped or closed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, the value is not sent, and is dropped with the
    /// future. Use [`reserve`](Sender::reserve) to keep the value.
    pub fn send(&self, value: T) -> impl Future<Output = Result<(), SendError<T>>> {
        let mut reserve = Reserve::new(&self.queue);
        let mut value = Some(value);
        poll_fn(move |cx| {
            let reserved = ready!(reserve.poll(cx));
            let value = value.take().expect("a send was polled after it completed");
            Poll::Ready(match reserved {
                Ok(()) => {
                    self.queue.fill(value);
                    Ok(())
                }
                Err(SendError(())) => Err(SendError(value)),
            })
        })
    }

    /// Sends a value, and blocks this thread while the channel is full.
    ///
    /// # Errors
    ///
    /// Returns the value if the receiver was dropped or closed.
    ///
    /// # Panics
    ///
    /// Panics on the thread of a running loop, which it would block: await [`send`](Sender::send)
    /// there.
    #[doc(alias = "send_blocking")]
    pub fn blocking_send(&self, value: T) -> Result<(), SendError<T>> {
        block_on("blocking_send", self.send(value))
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
    pub fn free(&self) -> usize {
        self.queue.free()
    }

    /// Returns whether the receiver was dropped or closed.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

impl<T> UnboundedSender<T> {
    /// Sends a value, from a task or a thread.
    ///
    /// # Errors
    ///
    /// Returns the value if the receiver was dropped or closed.
    #[doc(alias = "put_nowait")]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        match self.queue.try_reserve() {
            Ok(()) => {
                self.queue.fill(value);
                Ok(())
            }
            Err(_) => Err(SendError(value)),
        }
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
    pub fn recv(&mut self) -> impl Future<Output = Option<T>> {
        poll_fn(|cx| self.poll_recv(cx))
    }

    /// Polls for the next value, as [`recv`](Receiver::recv) does.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.queue.poll_pop(cx).map(Result::ok)
    }

    /// Blocks this thread until the next value arrives. Returns `None` as [`recv`](Receiver::recv)
    /// does.
    ///
    /// # Panics
    ///
    /// Panics on the thread of a running loop, which it would block: await `recv` there.
    #[doc(alias = "recv_blocking")]
    pub fn blocking_recv(&mut self) -> Option<T> {
        block_on("blocking_recv", self.recv())
    }

    /// Returns the next value if one is available.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is empty, or is at its end.
    #[doc(alias = "get_nowait")]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.queue.pop()
    }

    /// Closes the channel for senders. Values in the channel, and values of permits, can still be
    /// received.
    pub fn close(&mut self) {
        self.queue.close();
    }

    /// Returns the number of values in the channel.
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
