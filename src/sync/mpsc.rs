//! Sends values from many tasks to one receiver.
//!
//! | item | what it is |
//! |---|---|
//! | [`bounded`], [`unbounded`] | create a channel |
//! | [`Sender`] | sends into a bounded channel; waits while it is full |
//! | [`UnboundedSender`] | sends into an unbounded channel; never waits |
//! | [`Receiver`] | receives the values, as a future or a `Stream` |
//! | [`WeakSender`], [`WeakUnboundedSender`] | senders that do not keep the channel open |
//! | [`Permit`], [`OwnedPermit`], [`PermitIterator`] | reserved slots of a bounded channel |
//! | [`SendError`], [`TrySendError`], [`TryRecvError`] | the channel is closed, full or empty |
//! | [`SendTimeoutError`] | the channel is closed, or stayed full for too long |
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

use super::mpsc_queue::{Queue, UNBOUNDED};

pub use super::mpsc_error::{SendError, SendTimeoutError, TryRecvError, TrySendError};
pub use super::mpsc_permit::{OwnedPermit, Permit, PermitIterator};
#[doc(alias = "MemoryReceiveChannel")]
#[doc(alias = "UnboundedReceiver")]
pub use super::mpsc_receiver::Receiver;
#[doc(alias = "MemorySendChannel")]
#[doc(alias = "PollSender")]
pub use super::mpsc_sender::Sender;
pub use super::mpsc_unbounded::UnboundedSender;
pub use super::mpsc_weak::{WeakSender, WeakUnboundedSender};

/// Creates a channel that holds up to `capacity` values. A sender waits while the channel is full.
///
/// # Panics
///
/// Panics if `capacity` is zero. A channel without a buffer, whose send waits until the value was
/// received, is a [`queue`](crate::queue) of capacity 0.
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
#[track_caller]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(
        capacity > 0,
        "mpsc::bounded needs a capacity of at least 1: for a send that waits until its value was \
         received, use queue::Queue::bounded(0)"
    );
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
