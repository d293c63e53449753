//! Reserved slots of a bounded channel.

use std::fmt;
use std::future::Future;
use std::iter::FusedIterator;
use std::mem;
use std::rc::Rc;

use super::mpsc_error::{SendError, TrySendError};
use super::mpsc_queue::Queue;
use super::mpsc_reserve::Reserve;
use super::mpsc_sender::Sender;
use crate::current::leaf;

/// A reserved slot of a channel. [`Sender::reserve`] creates it. Dropping it releases the slot.
#[must_use = "a permit releases its slot when it is dropped"]
pub struct Permit<'a, T> {
    queue: &'a Queue<T>,
}

/// A reserved slot of a channel, with the sender that reserved it. [`Sender::reserve_owned`]
/// creates it. Dropping it releases the slot and drops the sender.
///
/// ```
/// evloop::block_on(async {
///     let (sender, mut receiver) = evloop::sync::mpsc::bounded(1);
///     let permit = sender.reserve_owned().await.unwrap();
///     let sender = permit.send(7);
///     assert_eq!(receiver.recv().await, Some(7));
///     assert!(sender.try_reserve_owned().is_ok());
/// });
/// ```
#[must_use = "a permit releases its slot when it is dropped"]
pub struct OwnedPermit<T> {
    /// `None`: the slot was filled or released.
    sender: Option<Sender<T>>,
}

/// Reserved slots of a channel, as an iterator of permits. [`Sender::reserve_many`] creates it.
/// Dropping it releases the slots that are left.
#[must_use = "an iterator of permits releases their slots when it is dropped"]
pub struct PermitIterator<'a, T> {
    queue: &'a Queue<T>,
    slots: usize,
}

impl<T> Sender<T> {
    /// Waits for a free slot, and reserves it.
    ///
    /// # Errors
    ///
    /// Returns an error if the receiver was dropped or closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses only its place among the waiting senders.
    pub async fn reserve(&self) -> Result<Permit<'_, T>, SendError<()>> {
        let mut reserve = Reserve::new(&self.queue);
        leaf(|cx| reserve.poll(cx, 1)).await?;
        Ok(Permit { queue: &self.queue })
    }

    /// Waits until `n` slots are reserved, as [`reserve`](Sender::reserve) does for one.
    ///
    /// The future waits in the same queue as others that wait for a slot. Once it is the first, it
    /// collects free slots, and the others wait until it has all.
    ///
    /// # Errors
    ///
    /// Returns an error if the receiver was dropped or closed.
    ///
    /// # Panics
    ///
    /// Panics if `n` is greater than the capacity of the channel: it would wait forever. tokio
    /// returns the error of a closed channel.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses only its place among the waiting senders.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let (sender, receiver) = evloop::sync::mpsc::bounded(3);
    ///     for (i, permit) in sender.reserve_many(3).await.unwrap().enumerate() {
    ///         permit.send(i);
    ///     }
    ///     assert_eq!(receiver.len(), 3);
    /// });
    /// ```
    #[track_caller]
    pub fn reserve_many(
        &self,
        n: usize,
    ) -> impl Future<Output = Result<PermitIterator<'_, T>, SendError<()>>> {
        let max = self.max_capacity();
        assert!(
            n <= max,
            "{n} slots cannot be reserved: the capacity of the channel is {max}. Reserve fewer at \
             a time, or create the channel with a greater capacity"
        );
        let mut reserve = Reserve::new(&self.queue);
        async move {
            leaf(|cx| reserve.poll(cx, n)).await?;
            Ok(PermitIterator { queue: &self.queue, slots: n })
        }
    }

    /// Waits for a free slot, and reserves it. The permit owns this sender, so that it can be moved
    /// into a task.
    ///
    /// # Errors
    ///
    /// Returns an error if the receiver was dropped or closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses its place among the waiting senders, and drops the sender.
    pub async fn reserve_owned(self) -> Result<OwnedPermit<T>, SendError<()>> {
        {
            let mut reserve = Reserve::new(&self.queue);
            leaf(|cx| reserve.poll(cx, 1)).await?;
        }
        Ok(OwnedPermit { sender: Some(self) })
    }

    /// Reserves a slot if one is free now.
    ///
    /// # Errors
    ///
    /// Returns an error if no slot is free or other senders wait for one, or if the receiver was
    /// dropped or closed.
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        self.queue.try_reserve(1)?;
        Ok(Permit { queue: &self.queue })
    }

    /// Reserves `n` slots if so many are free now.
    ///
    /// # Errors
    ///
    /// Returns an error, and reserves none, if fewer slots are free or other senders wait for one,
    /// or if the receiver was dropped or closed.
    pub fn try_reserve_many(&self, n: usize) -> Result<PermitIterator<'_, T>, TrySendError<()>> {
        self.queue.try_reserve(n)?;
        Ok(PermitIterator { queue: &self.queue, slots: n })
    }

    /// Reserves a slot if one is free now. The permit owns this sender.
    ///
    /// # Errors
    ///
    /// Returns the sender if no slot is free or other senders wait for one, or if the receiver was
    /// dropped or closed.
    pub fn try_reserve_owned(self) -> Result<OwnedPermit<T>, TrySendError<Sender<T>>> {
        match self.queue.try_reserve(1) {
            Ok(()) => Ok(OwnedPermit { sender: Some(self) }),
            Err(TrySendError::Full(())) => Err(TrySendError::Full(self)),
            Err(TrySendError::Closed(())) => Err(TrySendError::Closed(self)),
        }
    }
}

impl<T> Permit<'_, T> {
    /// Sends a value into the slot. If the receiver was dropped, the value is dropped.
    pub fn send(self, value: T) {
        let queue = self.queue;
        mem::forget(self);
        queue.fill(value);
    }
}

impl<T> OwnedPermit<T> {
    /// Sends a value into the slot. If the receiver was dropped, the value is dropped. Returns the
    /// sender.
    pub fn send(mut self, value: T) -> Sender<T> {
        let sender = self.take();
        sender.queue.fill(value);
        sender
    }

    /// Releases the slot, and returns the sender.
    pub fn release(mut self) -> Sender<T> {
        let sender = self.take();
        sender.queue.release_reserved(1);
        sender
    }

    /// Returns whether both slots are of the same channel.
    pub fn same_channel(&self, other: &OwnedPermit<T>) -> bool {
        Rc::ptr_eq(self.queue(), other.queue())
    }

    /// Returns whether `sender` sends into the channel of the slot.
    pub fn same_channel_as_sender(&self, sender: &Sender<T>) -> bool {
        Rc::ptr_eq(self.queue(), &sender.queue)
    }

    fn take(&mut self) -> Sender<T> {
        self.sender.take().expect("a permit is consumed by what takes its sender")
    }

    fn queue(&self) -> &Rc<Queue<T>> {
        &self.sender.as_ref().expect("a permit has a sender until it is consumed").queue
    }
}

impl<'a, T> Iterator for PermitIterator<'a, T> {
    type Item = Permit<'a, T>;

    fn next(&mut self) -> Option<Permit<'a, T>> {
        self.slots = self.slots.checked_sub(1)?;
        Some(Permit { queue: self.queue })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.slots, Some(self.slots))
    }
}

impl<T> ExactSizeIterator for PermitIterator<'_, T> {}
impl<T> FusedIterator for PermitIterator<'_, T> {}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.queue.release_reserved(1);
    }
}

impl<T> Drop for OwnedPermit<T> {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.queue.release_reserved(1);
        }
    }
}

impl<T> Drop for PermitIterator<'_, T> {
    fn drop(&mut self) {
        if self.slots > 0 {
            self.queue.release_reserved(self.slots);
        }
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(self.queue).finish()
    }
}

impl<T> fmt::Debug for OwnedPermit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedPermit").field(self.queue()).finish()
    }
}

impl<T> fmt::Debug for PermitIterator<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PermitIterator").field("slots", &self.slots).finish_non_exhaustive()
    }
}
