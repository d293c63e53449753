//! Holds one value that changes, and lets receivers wait for its newest state.
//!
//! | item | what it is |
//! |---|---|
//! | [`channel`] | creates a channel with its first value |
//! | [`Sender`] | changes the value |
//! | [`Receiver`] | waits for a change, and borrows the newest value |
//! | [`Ref`] | a borrowed value |
//! | [`RecvError`], [`SendError`] | the senders, or the receivers, were dropped |
//!
//! A receiver sees the newest value, not each value.
//!
//! ```
//! use evloop::sync::watch;
//!
//! evloop::block_on(async {
//!     let (sender, mut receiver) = watch::channel(0);
//!     sender.send(1).unwrap();
//!     sender.send(2).unwrap();
//!     receiver.changed().await.unwrap();
//!     assert_eq!(*receiver.borrow(), 2);
//! });
//! ```

pub use super::mpsc_error::SendError;
pub use super::watch_receiver::{Receiver, RecvError};
pub use super::watch_sender::Sender;
pub use super::watch_value::Ref;

/// Creates a channel whose receivers see its newest value. They have seen `value` already.
///
/// ```
/// use evloop::sync::watch;
///
/// evloop::block_on(async {
///     let (sender, mut level) = watch::channel("info");
///     let watcher = evloop::spawn(async move {
///         level.changed().await.unwrap();
///         *level.borrow()
///     });
///     sender.send("debug").unwrap();
///     assert_eq!(watcher.await.unwrap(), "debug");
/// });
/// ```
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(value);
    let receiver = sender.subscribe();
    (sender, receiver)
}
