//! One value, from one task to another: asyncio's `Future`, in two halves.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use crate::current::{self, WaitsFor, budget};
use crate::wait::keep;

/// The half that sends; made by [`channel`].
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

/// The half that receives: a future; made by [`channel`]. Once it has completed it gives a
/// [`RecvError`].
///
/// # Cancel safety
///
/// `&mut receiver` may be awaited and given up at any time; a value that has come stays.
#[must_use = "a receiver does nothing unless it is awaited"]
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
}

/// Nothing was sent before the sender was dropped or the receiver closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError(());

/// Why [`Receiver::try_recv`] has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// It may still come.
    Empty,
    /// The sender was dropped, the receiver was closed, or the value was taken.
    Closed,
}

struct Shared<T> {
    value: Cell<Option<T>>,
    /// Of the half that waits for the other: the receiver for the value, or the sender, in
    /// [`Sender::closed`], for the receiver's end.
    receiver: Cell<Option<Waker>>,
    sender: Cell<Option<Waker>>,
    /// The sender is gone, having sent or not.
    is_sent: Cell<bool>,
    /// The receiver takes nothing any more.
    is_closed: Cell<bool>,
}

/// A channel for one value.
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
#[doc(alias = "create_future")]
#[doc(alias = "AsyncResult")]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(Shared {
        value: Cell::new(None),
        receiver: Cell::new(None),
        sender: Cell::new(None),
        is_sent: Cell::new(false),
        is_closed: Cell::new(false),
    });
    (Sender { shared: shared.clone() }, Receiver { shared })
}

impl<T> Sender<T> {
    /// Sends the value. It comes back if the receiver was dropped or closed.
    #[doc(alias = "set_result")]
    pub fn send(self, value: T) -> Result<(), T> {
        if self.shared.is_closed.get() {
            return Err(value);
        }
        // Empty before: a sender sends once.
        self.shared.value.set(Some(value));
        Ok(())
    }

    /// Whether the receiver was dropped or closed.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed.get()
    }

    /// Waits until the receiver is dropped or closed: who works on an answer that nobody awaits can
    /// stop.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub async fn closed(&mut self) {
        poll_fn(|cx| {
            if self.shared.is_closed.get() {
                return Poll::Ready(());
            }
            keep(&self.shared.sender, cx.waker());
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
    /// Takes the value if it has come.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`] if it has not.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let is_over = self.shared.is_over();
        self.shared.value.take().ok_or(match is_over {
            true => TryRecvError::Closed,
            false => TryRecvError::Empty,
        })
    }

    /// Takes nothing any more. A value that came before can still be taken.
    pub fn close(&mut self) {
        self.shared.close();
    }
}

impl<T> Shared<T> {
    /// Nothing will be sent any more.
    fn is_over(&self) -> bool {
        self.is_sent.get() || self.is_closed.get()
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
        if !shared.is_over() {
            keep(&shared.receiver, cx.waker());
            // Looked at again: cloning a waker is foreign, and may have sent.
            if !shared.is_over() {
                return current::pending(WaitsFor::Channel);
            }
            drop(shared.receiver.take());
        }
        ready!(budget::poll_left(cx));
        budget::spend();
        Poll::Ready(shared.value.take().ok_or(RecvError(())))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.is_sent.set(true);
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
        let is_sent = self.shared.is_sent.get();
        f.debug_struct("Receiver").field("is_sent", &is_sent).finish_non_exhaustive()
    }
}
