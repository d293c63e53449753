//! Sending with a time limit. The channels themselves know no time.

use std::time::Duration;

use super::timeout::timeout;
use crate::sync::{mpsc, thread_channel};

impl<T> mpsc::Sender<T> {
    /// Sends a value like [`send`](mpsc::Sender::send), but waits no longer than `duration`, which
    /// counts from the first poll.
    ///
    /// # Errors
    ///
    /// Returns the value if the channel stayed full for that time, or if the receiver was dropped
    /// or closed.
    ///
    /// # Panics
    ///
    /// Panics outside of a loop if it has to wait.
    ///
    /// # Cancel safety
    ///
    /// The same as for `send`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use evloop::sync::mpsc::{self, SendTimeoutError};
    ///
    /// evloop::block_on(async {
    ///     let (sender, _receiver) = mpsc::bounded(1);
    ///     let limit = Duration::from_millis(2);
    ///     assert_eq!(sender.send_timeout(1, limit).await, Ok(()));
    ///     assert_eq!(sender.send_timeout(2, limit).await, Err(SendTimeoutError::Timeout(2)));
    /// });
    /// ```
    pub async fn send_timeout(
        &self,
        value: T,
        duration: Duration,
    ) -> Result<(), mpsc::SendTimeoutError<T>> {
        match timeout(duration, self.reserve()).await {
            Ok(Ok(permit)) => {
                permit.send(value);
                Ok(())
            }
            Ok(Err(_)) => Err(mpsc::SendTimeoutError::Closed(value)),
            Err(_) => Err(mpsc::SendTimeoutError::Timeout(value)),
        }
    }
}

impl<T> thread_channel::Sender<T> {
    /// Sends a value like [`send`](thread_channel::Sender::send), but waits no longer than
    /// `duration`, which counts from the first poll.
    ///
    /// # Errors
    ///
    /// Returns the value if the channel stayed full for that time, or if the receiver was dropped
    /// or closed.
    ///
    /// # Panics
    ///
    /// Panics outside of a loop if it has to wait.
    ///
    /// # Cancel safety
    ///
    /// The same as for `send`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use evloop::sync::thread_channel::{self, SendTimeoutError};
    ///
    /// evloop::block_on(async {
    ///     let (sender, _receiver) = thread_channel::bounded(1);
    ///     let limit = Duration::from_millis(2);
    ///     assert_eq!(sender.send_timeout(1, limit).await, Ok(()));
    ///     assert_eq!(sender.send_timeout(2, limit).await, Err(SendTimeoutError::Timeout(2)));
    /// });
    /// ```
    pub async fn send_timeout(
        &self,
        value: T,
        duration: Duration,
    ) -> Result<(), thread_channel::SendTimeoutError<T>> {
        match timeout(duration, self.reserve()).await {
            Ok(Ok(permit)) => {
                permit.send(value);
                Ok(())
            }
            Ok(Err(_)) => Err(thread_channel::SendTimeoutError::Closed(value)),
            Err(_) => Err(thread_channel::SendTimeoutError::Timeout(value)),
        }
    }
}
