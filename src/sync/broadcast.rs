//! Sends every value to every receiver.
//!
//! | item | what it is |
//! |---|---|
//! | [`channel`] | creates a channel |
//! | [`Sender`] | sends, and creates more receivers by [`subscribe`](Sender::subscribe) |
//! | [`WeakSender`] | a sender that does not keep the channel open |
//! | [`Receiver`] | receives each value that is sent after the receiver was created |
//! | [`RecvError`], [`TryRecvError`] | the channel is closed, or values were missed |
//! | [`SendError`] | there is no receiver; returns the value |
//!
//! ```
//! use evloop::sync::broadcast;
//!
//! evloop::block_on(async {
//!     let (sender, mut first) = broadcast::channel(16);
//!     let mut second = sender.subscribe();
//!     sender.send("news").unwrap();
//!     assert_eq!(first.recv().await, Ok("news"));
//!     assert_eq!(second.recv().await, Ok("news"));
//! });
//! ```

pub use super::broadcast_error::{RecvError, TryRecvError};
pub use super::broadcast_receiver::Receiver;
pub use super::broadcast_sender::{Sender, WeakSender};
pub use super::mpsc_error::SendError;

/// Creates a channel that stores up to `capacity` values for receivers that have not read them.
///
/// Sending never waits: a full channel drops its oldest value. A receiver that missed values gets
/// [`RecvError::Lagged`] with their number. Then it continues with the oldest value that is left.
///
/// # Panics
///
/// Panics if `capacity` is zero.
///
/// ```
/// use evloop::sync::broadcast::{self, RecvError};
///
/// evloop::block_on(async {
///     let (sender, mut first) = broadcast::channel(2);
///     let mut second = sender.subscribe();
///     for i in 1..=3 {
///         sender.send(i).unwrap();
///         assert_eq!(first.recv().await, Ok(i));
///     }
///     assert_eq!(second.recv().await, Err(RecvError::Lagged(1)));
///     assert_eq!(second.recv().await, Ok(2));
/// });
/// ```
#[track_caller]
pub fn channel<T: Clone>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(capacity);
    let receiver = sender.subscribe();
    (sender, receiver)
}
