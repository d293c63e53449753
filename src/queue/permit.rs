//! A slot of a queue, in somebody's hand.

use std::fmt;
use std::mem;

use super::AnyQueue;
use super::container::Container;

/// A slot of a queue that is kept for its holder; made by [`AnyQueue::reserve`]. Dropping it gives
/// the slot back.
#[must_use = "a permit that is dropped gives its slot back"]
pub struct Permit<'a, C: Container> {
    queue: &'a AnyQueue<C>,
}

impl<'a, C: Container> Permit<'a, C> {
    /// For a slot that is the caller's.
    pub(super) fn of(queue: &'a AnyQueue<C>) -> Permit<'a, C> {
        Permit { queue }
    }

    /// Puts a value into the slot. If everything is [dropped](AnyQueue::close_now) by now, so is
    /// the value.
    #[doc(alias = "send")]
    pub fn put(self, value: C::Value) {
        if self.queue.items.is_closed() {
            // The slot goes first: dropping a value is foreign.
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
        self.queue.give_back();
    }
}

impl<C: Container> fmt::Debug for Permit<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(self.queue).finish()
    }
}
