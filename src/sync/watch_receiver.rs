//! The receiving half of a watch channel.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;

use super::watch_value::{Ref, Shared};
use crate::current::budget;

/// Watches the value. [`channel`](super::watch::channel) and
/// [`Sender::subscribe`](super::watch::Sender::subscribe) create it. A clone has seen the same
/// version.
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
    /// The version that it has seen.
    seen: u64,
}

/// The error of a receiver: the senders were dropped, so the value will not change any more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RecvError(());

impl<T> Receiver<T> {
    pub(super) fn new(shared: &Rc<Shared<T>>, seen: u64) -> Receiver<T> {
        shared.receivers.set(shared.receivers.get() + 1);
        Receiver { shared: shared.clone(), seen }
    }

    /// Returns the value as it is now, without marking it as seen.
    ///
    /// # Panics
    ///
    /// Panics inside of a `send_modify` or `send_if_modified` on the same value.
    #[track_caller]
    pub fn borrow(&self) -> Ref<T> {
        self.shared.borrow(self.seen)
    }

    /// Returns the value as it is now, and marks it as seen.
    ///
    /// # Panics
    ///
    /// Panics where [`borrow`](Receiver::borrow) does.
    #[track_caller]
    pub fn borrow_and_update(&mut self) -> Ref<T> {
        let value = self.shared.borrow(self.seen);
        self.seen = self.shared.version.get();
        value
    }

    /// Returns whether the value has changed since it was seen.
    ///
    /// # Errors
    ///
    /// Returns an error if the value has not changed and the senders were dropped.
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        let has_changed = self.seen != self.shared.version.get();
        match has_changed || self.shared.senders.get() > 0 {
            true => Ok(has_changed),
            false => Err(RecvError(())),
        }
    }

    /// Marks the value as not seen: [`changed`](Receiver::changed) completes at once.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let (_sender, mut receiver) = evloop::sync::watch::channel("first");
    ///     receiver.mark_changed();
    ///     // The loop body also runs for the value that was there at first.
    ///     receiver.changed().await.unwrap();
    ///     assert_eq!(*receiver.borrow(), "first");
    /// });
    /// ```
    pub fn mark_changed(&mut self) {
        self.seen = self.shared.version.get().wrapping_sub(1);
    }

    /// Marks the value as seen.
    pub fn mark_unchanged(&mut self) {
        self.seen = self.shared.version.get();
    }

    /// Returns whether all senders were dropped.
    pub fn is_closed(&self) -> bool {
        self.shared.senders.get() == 0
    }

    /// Returns whether both watch the same value.
    pub fn same_channel(&self, other: &Receiver<T>) -> bool {
        Rc::ptr_eq(&self.shared, &other.shared)
    }

    /// Waits until the value has changed since it was seen, and marks it as seen.
    ///
    /// # Errors
    ///
    /// Returns an error if the value has not changed and the senders were dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no change.
    pub async fn changed(&mut self) -> Result<(), RecvError> {
        poll_fn(budget::poll_left).await;
        let shared = self.shared.clone();
        loop {
            // Created before the look: it reports every change since, also one that cloning a
            // waker causes.
            let mut wait = shared.changed.wait();
            let has_changed = self.has_changed();
            if has_changed != Ok(false) {
                self.seen = shared.version.get();
                budget::spend();
                return has_changed.map(drop);
            }
            poll_fn(|cx| wait.poll_notified(cx)).await;
        }
    }

    /// Waits until `is_met` returns true for the value, and marks the value as seen. If it does so
    /// at first, this completes at once.
    ///
    /// # Errors
    ///
    /// Returns an error if `is_met` returned false for the last value and the senders were dropped.
    ///
    /// # Cancel safety
    ///
    /// The values that `is_met` was called with are seen. Nothing else changes.
    pub async fn wait_for(
        &mut self,
        mut is_met: impl FnMut(&T) -> bool,
    ) -> Result<Ref<T>, RecvError> {
        loop {
            let value = self.borrow_and_update();
            if is_met(&value) {
                budget::unit().await;
                return Ok(value);
            }
            drop(value);
            self.changed().await?;
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        Receiver::new(&self.shared, self.seen)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.receivers.set(self.shared.receivers.get() - 1);
        if self.shared.receivers.get() == 0 {
            self.shared.closed.notify_all();
        }
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value will not change: its senders were dropped")
    }
}

impl fmt::Debug for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecvError({self})")
    }
}

impl Error for RecvError {}

impl From<RecvError> for io::Error {
    fn from(error: RecvError) -> io::Error {
        io::Error::new(io::ErrorKind::UnexpectedEof, error)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("seen", &self.seen).finish_non_exhaustive()
    }
}
