//! A queue between threads: between a thread and a loop, in either direction, or two loops.
//!
//! A thread blocks where a task awaits. For tasks of one thread, [`mpsc`](super::mpsc) has no lock.
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

/// Sends into a bounded queue; made by [`bounded`]. Its clones send into the same.
pub struct Sender<T> {
    queue: Arc<ThreadQueue<T>>,
}

/// Sends into an unbounded queue; made by [`unbounded`]. Its clones send into the same.
pub struct UnboundedSender<T> {
    queue: Arc<ThreadQueue<T>>,
}

/// Receives from a queue, value by value; made by [`bounded`] and [`unbounded`]. Also a `Stream`.
pub struct Receiver<T> {
    queue: Arc<ThreadQueue<T>>,
}

/// A slot of the queue that is kept for its holder; made by [`Sender::reserve`]. Dropping it gives
/// the slot back.
#[must_use = "a permit that is dropped gives its slot back"]
pub struct Permit<'a, T> {
    queue: &'a ThreadQueue<T>,
}

/// A queue that holds up to `capacity` values; a sender waits while it is full.
///
/// # Panics
///
/// If `capacity` is zero.
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a bounded queue needs a capacity of at least 1");
    let queue = ThreadQueue::new(capacity);
    (Sender { queue: queue.clone() }, Receiver { queue })
}

/// A queue without a limit: sending never waits, so a receiver that is slow costs memory.
pub fn unbounded<T>() -> (UnboundedSender<T>, Receiver<T>) {
    let queue = ThreadQueue::new(usize::MAX);
    (UnboundedSender { queue: queue.clone() }, Receiver { queue })
}

impl<T> Sender<T> {
    /// Sends a value, once there is a slot for it. Senders, tasks and threads alike, get slots in
    /// the order in which they began to wait.
    ///
    /// # Errors
    ///
    /// If the receiver was dropped or closed, the value comes back.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, the value was not sent and is dropped with it;
    /// see [`reserve`](Sender::reserve) to keep it.
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

    /// Blocks this thread until there is a slot, and sends a value.
    ///
    /// # Errors
    ///
    /// If the receiver was dropped or closed, the value comes back.
    ///
    /// # Panics
    ///
    /// On the thread of a running loop, which it would stop: there, await [`send`](Sender::send).
    pub fn blocking_send(&self, value: T) -> Result<(), SendError<T>> {
        block_on("blocking_send", self.send(value))
    }

    /// Waits for a slot, and keeps it.
    ///
    /// # Errors
    ///
    /// If the receiver was dropped or closed.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost but the place among the waiting senders.
    pub async fn reserve(&self) -> Result<Permit<'_, T>, SendError<()>> {
        let mut reserve = Reserve::new(&self.queue);
        poll_fn(|cx| reserve.poll(cx)).await?;
        Ok(Permit { queue: &self.queue })
    }

    /// Sends a value if there is a slot for it now.
    ///
    /// # Errors
    ///
    /// The value comes back if there is none, or nobody receives.
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

    /// Keeps a slot if one is free now.
    ///
    /// # Errors
    ///
    /// If none is, or nobody receives.
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        self.queue.try_keep()?;
        Ok(Permit { queue: &self.queue })
    }

    /// How many values can be sent now without waiting.
    pub fn free(&self) -> usize {
        self.queue.free()
    }

    /// Whether the receiver was dropped or closed.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

impl<T> UnboundedSender<T> {
    /// Sends a value, from a task or a thread.
    ///
    /// # Errors
    ///
    /// If the receiver was dropped or closed, the value comes back.
    #[doc(alias = "put_nowait")]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        match self.queue.try_keep() {
            Ok(()) => {
                self.queue.fill(value);
                Ok(())
            }
            Err(_) => Err(SendError(value)),
        }
    }

    /// Whether the receiver was dropped or closed.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

impl<T> Receiver<T> {
    /// Waits for the next value. `None`: the senders were dropped, or the receiver was closed, and
    /// everything was received.
    ///
    /// # Cancel safety
    ///
    /// No value is lost.
    pub fn recv(&mut self) -> impl Future<Output = Option<T>> {
        poll_fn(|cx| self.poll_recv(cx))
    }

    /// The next value, if it is there.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.queue.poll_pop(cx).map(Result::ok)
    }

    /// Blocks this thread until the next value comes. `None` as for [`recv`](Receiver::recv).
    ///
    /// # Panics
    ///
    /// On the thread of a running loop, which it would stop: there, await `recv`.
    pub fn blocking_recv(&mut self) -> Option<T> {
        block_on("blocking_recv", self.recv())
    }

    /// Takes the next value if it is there.
    ///
    /// # Errors
    ///
    /// If none is there, or none will come.
    #[doc(alias = "get_nowait")]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.queue.pop()
    }

    /// Lets nothing more be sent. What is in the queue, or has a permit, can be received.
    pub fn close(&mut self) {
        self.queue.close();
    }

    /// How many values are in the queue.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether no value is in the queue.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Permit<'_, T> {
    /// Puts a value into the slot. If the receiver was dropped meanwhile, the value is dropped.
    pub fn send(self, value: T) {
        let queue = self.queue;
        mem::forget(self);
        queue.fill(value);
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.queue.give_back();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.queue.abandon();
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
