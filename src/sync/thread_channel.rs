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
//! | [`WeakSender`], [`WeakUnboundedSender`] | senders that do not keep the channel open |
//! | [`Permit`], [`OwnedPermit`], [`PermitIterator`] | reserved slots of a bounded channel |
//! | [`SendError`], [`TrySendError`], [`TryRecvError`] | the channel is closed, full or empty |
//! | [`SendTimeoutError`] | the channel is closed, or stayed full for too long |
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

use super::thread_queue::ThreadQueue;

pub use super::mpsc_error::{SendError, SendTimeoutError, TryRecvError, TrySendError};
pub use super::thread_permit::{OwnedPermit, Permit, PermitIterator};
pub use super::thread_receiver::Receiver;
pub use super::thread_sender::Sender;
pub use super::thread_unbounded::UnboundedSender;
pub use super::thread_weak::{WeakSender, WeakUnboundedSender};

/// Creates a channel that holds up to `capacity` values. A sender waits while the channel is full.
///
/// # Panics
///
/// Panics if `capacity` is zero.
#[track_caller]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(
        capacity > 0,
        "thread_channel::bounded needs a capacity of at least 1: for a send that waits until its \
         value was received, send a sender with it, over which the receiver answers"
    );
    let queue = ThreadQueue::new(capacity);
    (Sender { queue: queue.clone() }, Receiver { queue })
}

/// Creates a channel without a limit: sending never waits, so the buffer grows if the receiver is
/// slow.
pub fn unbounded<T>() -> (UnboundedSender<T>, Receiver<T>) {
    let queue = ThreadQueue::new(usize::MAX);
    (UnboundedSender { queue: queue.clone() }, Receiver { queue })
}
