//! A queue of values, and the count of those that are not done yet.

use std::cell::{Cell, RefCell, RefMut};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::ops::Deref;
use std::task::{Poll, ready};

use super::container::Container;
use super::error::{PutError, QueueClosed, TryGetError, TryPutError};
use crate::current::{WaitsFor, budget};
use crate::sync::notify_list::NotifyList;
use crate::sync::raw_semaphore::{Acquire, HasSemaphore, RawSemaphore, Refusal};

/// A queue from which the value comes first that was put first.
pub type Queue<T> = AnyQueue<VecDeque<T>>;

/// A queue from which the value comes first that was put last.
pub type LifoQueue<T> = AnyQueue<Vec<T>>;

/// A queue from which the smallest value comes first; of equal ones, any.
///
/// A comparison must not use the queue that its value is in: that panics. If a comparison panics,
/// the queue goes on; a value that was being got is lost.
///
/// ```
/// use evloop::queue::PriorityQueue;
///
/// let queue = PriorityQueue::unbounded();
/// for job in [(2, "sleep"), (1, "eat"), (3, "code")] {
///     queue.try_put(job).unwrap();
/// }
/// assert_eq!(queue.try_get(), Ok((1, "eat")));
/// ```
pub type PriorityQueue<T> = AnyQueue<BinaryHeap<Reverse<T>>>;

/// What [`Queue`], [`LifoQueue`] and [`PriorityQueue`] are: a queue with the order of `C`.
pub struct AnyQueue<C> {
    values: RefCell<C>,
    /// `usize::MAX`: without a bound.
    capacity: usize,
    /// How many values the container holds.
    filled: Cell<usize>,
    /// The slots, and who waits to put. Void once the queue is closed.
    slots: Supply,
    /// The values, and who waits to get. Ended once no more can come, void after `close_now`.
    items: Supply,
    /// Values that were put, and not reported done.
    unfinished: Cell<usize>,
    /// Rung when all work is done.
    done: NotifyList,
}

/// The slots of a queue, or its values: permits, for which a task waits as for a channel.
struct Supply(RawSemaphore);

/// Does its work when it is dropped: also if a comparison of values, or a waker, panicked.
struct OnDrop<'a, C: Container>(&'a AnyQueue<C>, fn(&AnyQueue<C>));

impl<C: Container> AnyQueue<C> {
    /// A queue that holds up to `capacity` values; `put` waits while it is full.
    ///
    /// # Panics
    ///
    /// If `capacity` is zero.
    pub fn bounded(capacity: usize) -> AnyQueue<C> {
        assert!(capacity > 0, "a bounded queue needs a capacity of at least 1");
        AnyQueue {
            values: RefCell::default(),
            capacity,
            filled: Cell::new(0),
            slots: Supply(RawSemaphore::new(capacity)),
            items: Supply(RawSemaphore::new(0)),
            unfinished: Cell::new(0),
            done: NotifyList::new(false),
        }
    }

    /// A queue without a limit: asyncio's `maxsize` of 0.
    pub fn unbounded() -> AnyQueue<C> {
        AnyQueue::bounded(usize::MAX)
    }

    /// Puts a value, once there is a slot for it.
    ///
    /// # Errors
    ///
    /// If the queue is closed, the value comes back.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, the value was not put and is dropped with it;
    /// see [`reserve`](AnyQueue::reserve) to keep it.
    pub fn put(&self, value: C::Value) -> impl Future<Output = Result<(), PutError<C::Value>>> {
        let mut acquire = Acquire::new(&self.slots, 1);
        let mut value = Some(value);
        poll_fn(move |cx| {
            let slot = ready!(acquire.poll_uncounted(cx));
            let value = value.take().expect("a put was polled after it completed");
            Poll::Ready(match slot {
                Ok(_) => {
                    Permit::of(self).put(value);
                    Ok(())
                }
                Err(_) => Err(PutError(value)),
            })
        })
    }

    /// Puts a value if there is a slot for it now.
    ///
    /// # Errors
    ///
    /// The value comes back if there is none, or the queue is closed.
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

    /// Waits for a slot, and keeps it. A permit that was given before the queue was closed can
    /// still be used.
    ///
    /// # Errors
    ///
    /// If the queue is closed.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost but the place among those who wait.
    pub async fn reserve(&self) -> Result<Permit<'_, C>, QueueClosed> {
        let mut acquire = Acquire::new(&self.slots, 1);
        let slot = poll_fn(|cx| acquire.poll_uncounted(cx)).await;
        slot.map(|_| Permit::of(self)).map_err(|_| QueueClosed)
    }

    /// Keeps a slot if one is free now.
    ///
    /// # Errors
    ///
    /// If none is, or the queue is closed.
    pub fn try_reserve(&self) -> Result<Permit<'_, C>, TryPutError<()>> {
        match self.slots.try_take(1) {
            Ok(()) => Ok(Permit::of(self)),
            Err(Refusal::Short) => Err(TryPutError::Full(())),
            Err(Refusal::Closed) => Err(TryPutError::Closed(())),
        }
    }

    /// Waits for the value that is next, and takes it.
    ///
    /// # Errors
    ///
    /// If the queue is closed, and everything was got.
    ///
    /// # Cancel safety
    ///
    /// No value is lost.
    pub fn get(&self) -> impl Future<Output = Result<C::Value, QueueClosed>> {
        let mut acquire = Acquire::new(&self.items, 1);
        poll_fn(move |cx| {
            let item = ready!(acquire.poll_uncounted(cx));
            Poll::Ready(item.map(|_| self.take()).map_err(|_| QueueClosed))
        })
    }

    /// Takes the value that is next, if there is one now.
    ///
    /// # Errors
    ///
    /// If there is none, or none will come.
    #[doc(alias = "get_nowait")]
    pub fn try_get(&self) -> Result<C::Value, TryGetError> {
        match self.items.try_take(1) {
            Ok(()) => Ok(self.take()),
            Err(Refusal::Short) => Err(TryGetError::Empty),
            Err(Refusal::Closed) => Err(TryGetError::Closed),
        }
    }

    /// How many values can be got now without waiting. One that was put while somebody waited for
    /// it is that one's, and not counted.
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        self.items.free()
    }

    /// Whether a `get` would wait.
    #[doc(alias = "empty")]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a `put` would wait: all slots are filled, or kept by permits or for those who wait.
    #[doc(alias = "full")]
    pub fn is_full(&self) -> bool {
        self.slots.free() == 0
    }

    /// How many values there can be. `None`: any number.
    #[doc(alias = "maxsize")]
    pub fn capacity(&self) -> Option<usize> {
        (self.capacity < usize::MAX).then_some(self.capacity)
    }

    /// Reports that the work on a value that was got is done.
    ///
    /// # Panics
    ///
    /// If it was called more often than values were put.
    pub fn task_done(&self) {
        let left = self.unfinished.get().checked_sub(1);
        let left = left.expect("task_done was called more often than values were put");
        self.unfinished.set(left);
        self.tell_if_done();
    }

    /// Waits until every value that was put has been got and [reported done](AnyQueue::task_done).
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub async fn join(&self) {
        poll_fn(budget::poll_left).await;
        let done = self.done.wait();
        if self.unfinished.get() > 0 {
            return done.await;
        }
        budget::spend();
    }

    /// Lets nothing more be put. What is in the queue, or has a permit, can be got.
    #[doc(alias = "shutdown")]
    pub fn close(&self) {
        self.slots.close_now();
        let _last = OnDrop(self, AnyQueue::end_if_last);
        self.slots.refuse();
    }

    /// Lets nothing more be put or got, drops what is in the queue, and counts it as done:
    /// asyncio's `shutdown(immediate=True)`. What is put by a permit from now on is dropped.
    #[doc(alias = "shutdown")]
    pub fn close_now(&self) {
        let _values = mem::take(&mut *self.borrow());
        let dropped = self.filled.take();
        // Some may have been reported done without having been got.
        self.unfinished.set(self.unfinished.get().saturating_sub(dropped));
        self.slots.close_now();
        self.slots.give(dropped);
        self.items.close_now();
        self.items.take_all();
        let _last = OnDrop(self, AnyQueue::tell_if_done);
        let _then = OnDrop(self, |queue| queue.items.refuse());
        self.slots.refuse();
    }

    /// Whether the queue was closed.
    pub fn is_closed(&self) -> bool {
        self.slots.is_closed()
    }

    /// Takes a value that is the caller's.
    fn take(&self) -> C::Value {
        let _settle = OnDrop(self, |queue| {
            queue.filled.set(queue.filled.get() - 1);
            queue.slots.give(1);
        });
        self.borrow().pop().expect("every value has a place in the container")
    }

    /// Fills a slot that is the caller's.
    fn fill(&self, value: C::Value) {
        let _last = OnDrop(self, AnyQueue::end_if_last);
        let _settle = OnDrop(self, |queue| {
            queue.filled.set(queue.filled.get() + 1);
            queue.unfinished.set(queue.unfinished.get() + 1);
            queue.items.give(1);
        });
        self.borrow().push(value);
    }

    /// Gives back a slot that is the caller's.
    fn give_back(&self) {
        let _last = OnDrop(self, AnyQueue::end_if_last);
        self.slots.give(1);
    }

    /// Once the queue is closed and the last permit is gone, no value will come.
    fn end_if_last(&self) {
        if self.is_closed() && self.slots.free() + self.filled.get() == self.capacity {
            self.items.end();
        }
    }

    fn tell_if_done(&self) {
        if self.unfinished.get() == 0 {
            self.done.notify_all();
        }
    }

    fn borrow(&self) -> RefMut<'_, C> {
        let values = self.values.try_borrow_mut();
        values.expect("a comparison of values used the queue that they are in")
    }
}

impl HasSemaphore for Supply {
    const WAITS_FOR: WaitsFor = WaitsFor::Channel;

    fn semaphore(&self) -> &RawSemaphore {
        &self.0
    }
}

impl Deref for Supply {
    type Target = RawSemaphore;

    fn deref(&self) -> &RawSemaphore {
        &self.0
    }
}

impl<C: Container> Drop for OnDrop<'_, C> {
    fn drop(&mut self) {
        self.1(self.0);
    }
}

impl<C> fmt::Debug for AnyQueue<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.items.free())
            .field("unfinished", &self.unfinished.get())
            .field("is_closed", &self.slots.is_closed())
            .finish_non_exhaustive()
    }
}

/// A slot of a queue that is kept for its holder; made by [`AnyQueue::reserve`]. Dropping it gives
/// the slot back.
#[must_use = "a permit that is dropped gives its slot back"]
pub struct Permit<'a, C: Container> {
    queue: &'a AnyQueue<C>,
}

impl<'a, C: Container> Permit<'a, C> {
    /// For a slot that is the caller's.
    fn of(queue: &'a AnyQueue<C>) -> Permit<'a, C> {
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
