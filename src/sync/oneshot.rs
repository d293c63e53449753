//! Sends one value from one task to another: asyncio's `Future`, in two halves.
//!
//! | item | what it is |
//! |---|---|
//! | [`channel`] | creates a channel |
//! | [`Sender`] | sends the value, once |
//! | [`Receiver`] | a future that completes with the value |
//! | [`RecvError`], [`TryRecvError`] | the channel is closed, or empty |
//!
//! ```
//! use evloop::sync::oneshot;
//!
//! evloop::block_on(async {
//!     let (sender, mut receiver) = oneshot::channel();
//!     assert_eq!(receiver.try_recv(), Err(oneshot::TryRecvError::Empty));
//!     sender.send(7).unwrap();
//!     assert_eq!(receiver.await, Ok(7));
//! });
//! ```

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use crate::current::{self, WaitsFor, budget};
use crate::wait::store_waker;

/// The sending half. [`channel`] creates it.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

/// The receiving half, a future. [`channel`] creates it. Polled again after it has completed, it
/// returns a [`RecvError`].
///
/// # Cancel safety
///
/// `&mut receiver` can be awaited, dropped and awaited again: a value that was sent stays in the
/// channel.
#[must_use = "a receiver does nothing unless it is awaited"]
#[doc(alias = "Future")]
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
}

/// The error of a [`Receiver`]: no value was sent before the sender was dropped or the receiver was
/// closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError(());

/// The error of [`Receiver::try_recv`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// No value was sent yet.
    Empty,
    /// The sender was dropped, the receiver was closed, or the value was taken.
    Closed,
}

struct Shared<T> {
    value: Cell<Option<T>>,
    /// The wakers of waiting halves. The receiver waits for the value; the sender, in
    /// [`Sender::closed`], for the receiver to close.
    receiver: Cell<Option<Waker>>,
    sender: Cell<Option<Waker>>,
    /// The sender is dropped, after a send or without one.
    is_sender_dropped: Cell<bool>,
    /// The receiver accepts no value any more.
    is_closed: Cell<bool>,
}

/// Creates a channel for one value.
///
/// ```
/// use evloop::sync::oneshot;
///
/// evloop::block_on(async {
///     let (sender, receiver) = oneshot::channel();
///     let _task = evloop::spawn(async move { sender.send("answer") });
///     assert_eq!(receiver.await, Ok("answer"));
/// });
/// ```
#[doc(alias = "AsyncResult")]
#[doc(alias = "create_future")]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(Shared {
        value: Cell::new(None),
        receiver: Cell::new(None),
        sender: Cell::new(None),
        is_sender_dropped: Cell::new(false),
        is_closed: Cell::new(false),
    });
    (Sender { shared: shared.clone() }, Receiver { shared })
}

impl<T> Sender<T> {
    /// Sends the value.
    ///
    /// # Errors
    ///
    /// Returns the value if the receiver was dropped or closed.
    #[doc(alias = "set_result")]
    pub fn send(self, value: T) -> Result<(), T> {
        if self.shared.is_closed.get() {
            return Err(value);
        }
        // The slot was empty: a sender sends once. The drop of `self` wakes the receiver.
        self.shared.value.set(Some(value));
        Ok(())
    }

    /// Returns whether the receiver was dropped or closed.
    #[doc(alias = "cancelled")]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed.get()
    }

    /// Waits until the receiver is dropped or closed. A task can stop work whose result is not
    /// needed any more.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn closed(&mut self) {
        poll_fn(|cx| {
            if self.shared.is_closed.get() {
                return Poll::Ready(());
            }
            store_waker(&self.shared.sender, cx.waker());
            match self.shared.is_closed.get() {
                true => Poll::Ready(()),
                false => current::pending(WaitsFor::Channel),
            }
        })
        .await;
        budget::unit().await;
    }
}

impl<T> Receiver<T> {
    /// Returns the value if it was sent.
    ///
    /// # Errors
    ///
    /// Returns [`TryRecvError`] if no value is in the channel.
    #[doc(alias = "get_nowait")]
    #[doc(alias = "done")]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let is_ended = self.shared.is_ended();
        self.shared.value.take().ok_or(match is_ended {
            true => TryRecvError::Closed,
            false => TryRecvError::Empty,
        })
    }

    /// Closes the channel for the sender. A value that was sent before can still be received.
    #[doc(alias = "cancel")]
    pub fn close(&mut self) {
        self.shared.close();
    }
}

impl<T> Shared<T> {
    /// Whether no value can be sent any more.
    fn is_ended(&self) -> bool {
        self.is_sender_dropped.get() || self.is_closed.get()
    }

    fn close(&self) {
        self.is_closed.set(true);
        if let Some(sender) = self.sender.take() {
            sender.wake();
        }
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let shared = &self.shared;
        if !shared.is_ended() {
            store_waker(&shared.receiver, cx.waker());
            // Cloning a waker is user code, which may send: check the state again.
            if !shared.is_ended() {
                return current::pending(WaitsFor::Channel);
            }
            drop(shared.receiver.take());
        }
        ready!(budget::poll_unit(cx));
        Poll::Ready(shared.value.take().ok_or(RecvError(())))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.is_sender_dropped.set(true);
        // `closed` may have stored a waker that nothing will call any more.
        drop(self.shared.sender.take());
        if let Some(receiver) = self.shared.receiver.take() {
            receiver.wake();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.close();
        drop(self.shared.receiver.take());
        drop(self.shared.value.take());
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was sent before the channel was closed")
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "the value has not come yet",
            TryRecvError::Closed => "no value will come: the channel is closed, or it was taken",
        })
    }
}

impl Error for RecvError {}
impl Error for TryRecvError {}

impl From<RecvError> for io::Error {
    fn from(error: RecvError) -> io::Error {
        io::Error::new(io::ErrorKind::UnexpectedEof, error)
    }
}

impl From<TryRecvError> for io::Error {
    fn from(error: TryRecvError) -> io::Error {
        let kind = match error {
            TryRecvError::Empty => io::ErrorKind::WouldBlock,
            TryRecvError::Closed => io::ErrorKind::UnexpectedEof,
        };
        io::Error::new(kind, error)
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_sender_dropped = self.shared.is_sender_dropped.get();
        f.debug_struct("Receiver").field("is_sent", &is_sender_dropped).finish_non_exhaustive()
    }
}
