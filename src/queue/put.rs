//! Putting values into a queue, and the permits of reserved slots.

use std::fmt;
use std::future::Future;
use std::mem;
use std::task::{Poll, ready};

use super::any_queue::AnyQueue;
use super::container::Container;
use super::error::{PutError, QueueClosed, TryPutError};
use crate::current::leaf;
use crate::sync::raw_semaphore::{Acquire, Refusal};

/// A reserved slot of a queue; made by [`AnyQueue::reserve`]. Dropping it frees the slot.
#[must_use = "dropping a permit frees its slot"]
pub struct Permit<'a, C: Container> {
    queue: &'a AnyQueue<C>,
}

impl<C: Container> AnyQueue<C> {
    /// Waits for a free slot and puts a value into it. With a capacity of 0: waits until a task
    /// that gets a value is there to take it.
    ///
    /// # Errors
    ///
    /// Returns the value if the queue is closed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, the value is not put and is dropped with the
    /// future. Use [`reserve`](AnyQueue::reserve) to keep it.
    pub fn put(&self, value: C::Value) -> impl Future<Output = Result<(), PutError<C::Value>>> {
        let mut acquire = Acquire::new(self, 1);
        let mut value = Some(value);
        leaf(move |cx| {
            let slot = ready!(acquire.poll_uncounted(cx));
            let value = value.take().expect("a put was polled after it completed");
            Poll::Ready(match slot {
                Ok(_) => {
                    Permit::new(self).put(value);
                    Ok(())
                }
                Err(_) => Err(PutError(value)),
            })
        })
    }

    /// Puts a value if a slot is free now. With a capacity of 0: if a task waits for a value.
    ///
    /// # Errors
    ///
    /// Returns the value if no slot is free or the queue is closed.
    #[doc(alias = "put_nowait")]
    pub fn try_put(&self, value: C::Value) -> Result<(), TryPutError<C::Value>> {
        match self.try_reserve() {
            Ok(permit) => {
                permit.put(value);
                Ok(())
            }
            Err(TryPutError::Full(())) => Err(TryPutError::Full(value)),
            Err(TryPutError::Closed(())) => Err(TryPutError::Closed(value)),
        }
    }

    /// Waits for a free slot and reserves it. A permit from before the queue was closed can still
    /// be used.
    ///
    /// # Errors
    ///
    /// Returns an error if the queue is closed.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped loses its place among the waiting tasks, and nothing else.
    pub async fn reserve(&self) -> Result<Permit<'_, C>, QueueClosed> {
        let mut acquire = Acquire::new(self, 1);
        let slot = leaf(|cx| acquire.poll_uncounted(cx)).await;
        slot.map(|_| Permit::new(self)).map_err(|_| QueueClosed)
    }

    /// Reserves a slot if one is free now.
    ///
    /// # Errors
    ///
    /// Returns an error if no slot is free or the queue is closed.
    pub fn try_reserve(&self) -> Result<Permit<'_, C>, TryPutError<()>> {
        match self.slots.try_take(1) {
            Ok(()) => Ok(Permit::new(self)),
            Err(Refusal::Short) => Err(TryPutError::Full(())),
            Err(Refusal::Closed) => Err(TryPutError::Closed(())),
        }
    }
}

impl<'a, C: Container> Permit<'a, C> {
    /// Makes the permit of a slot that belongs to the caller.
    fn new(queue: &'a AnyQueue<C>) -> Permit<'a, C> {
        Permit { queue }
    }

    /// Puts a value into the slot. After [`close_now`](AnyQueue::close_now), the value is dropped.
    #[doc(alias = "send")]
    pub fn put(self, value: C::Value) {
        if self.queue.items.is_closed() {
            // The slot is freed first: dropping the value runs user code, which may panic.
            drop(self);
            return drop(value);
        }
        let queue = self.queue;
        mem::forget(self);
        queue.fill(value);
    }
}

impl<C: Container> Drop for Permit<'_, C> {
    fn drop(&mut self) {
        self.queue.free_slot();
    }
}

impl<C: Container> fmt::Debug for Permit<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(self.queue).finish()
    }
}
