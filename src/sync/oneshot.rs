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

use std::any::type_name;
use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use crate::current::{self, WaitsFor, budget, leaf};
use crate::wait::store_waker;

/// The sending half. [`channel`] creates it.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

/// The receiving half, a future. [`channel`] creates it.
///
/// # Panics
///
/// Panics if it is awaited again after it has [terminated](Receiver::is_terminated).
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
#[derive(Clone, Copy, PartialEq, Eq)]
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
    /// The receiver has returned its result.
    is_terminated: Cell<bool>,
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
    // Not `Rc::new`, which makes the value on the stack and copies it by loads that are wider than
    // the stores: the processor cannot forward these, and waits.
    let shared = Rc::<Shared<T>>::default();
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
        leaf(|cx| self.poll_closed(cx)).await;
    }

    /// Polls whether the receiver was dropped or closed, as [`closed`](Sender::closed) does.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.shared.is_closed.get() {
            store_waker(&self.shared.sender, cx.waker());
            // Cloning a waker is user code, which may close: check the state again.
            if !self.shared.is_closed.get() {
                return current::pending(WaitsFor::Channel);
            }
        }
        budget::poll_unit(cx)
    }
}

impl<T> Receiver<T> {
    /// Returns the value if it was sent.
    ///
    /// # Errors
    ///
    /// Returns [`TryRecvError`] if no value is in the channel.
    #[doc(alias = "get_nowait")]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let is_ended = self.shared.is_ended();
        self.shared.is_terminated.set(is_ended);
        self.shared.value.take().ok_or(match is_ended {
            true => TryRecvError::Closed,
            false => TryRecvError::Empty,
        })
    }

    /// Returns whether no value is in the channel: it was not sent yet, never will be, or was
    /// received.
    #[doc(alias = "done")]
    #[doc(alias = "ready")]
    pub fn is_empty(&self) -> bool {
        let value = self.shared.value.take();
        let is_empty = value.is_none();
        self.shared.value.set(value);
        is_empty
    }

    /// Returns whether the receiver has returned its result, a value or an error, by an `await` or
    /// by [`try_recv`](Receiver::try_recv). Then it must not be awaited again.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let (sender, mut receiver) = evloop::sync::oneshot::channel();
    ///     assert!(receiver.is_empty());
    ///     sender.send(7).unwrap();
    ///     assert!(!receiver.is_empty() && !receiver.is_terminated());
    ///     assert_eq!((&mut receiver).await, Ok(7));
    ///     assert!(receiver.is_empty() && receiver.is_terminated());
    /// });
    /// ```
    pub fn is_terminated(&self) -> bool {
        self.shared.is_terminated.get()
    }

    /// Closes the channel for the sender. A value that was sent before can still be received.
    #[doc(alias = "cancel")]
    pub fn close(&mut self) {
        self.shared.close();
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Shared<T> {
        Shared {
            value: Cell::new(None),
            receiver: Cell::new(None),
            sender: Cell::new(None),
            is_sender_dropped: Cell::new(false),
            is_closed: Cell::new(false),
            is_terminated: Cell::new(false),
        }
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

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let shared = &self.shared;
        if shared.is_terminated.get() {
            panic_terminated(type_name::<T>());
        }
        if !shared.is_ended() {
            store_waker(&shared.receiver, cx.waker());
            // Cloning a waker is user code, which may send: check the state again.
            if !shared.is_ended() {
                return current::pending(WaitsFor::Channel);
            }
            drop(shared.receiver.take());
        }
        ready!(budget::poll_unit(cx));
        shared.is_terminated.set(true);
        Poll::Ready(shared.value.take().ok_or(RecvError(())))
    }
}

#[cold]
#[track_caller]
fn panic_terminated(value: &str) -> ! {
    panic!(
        "a oneshot receiver was awaited again after it had returned its result, of type {value}: \
         keep the result, or check is_terminated before"
    );
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

impl fmt::Debug for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecvError({self})")
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
