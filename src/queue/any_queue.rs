//! A queue of values that counts the values whose work is not done.

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

/// A queue that returns its oldest value first.
pub type Queue<T> = AnyQueue<VecDeque<T>>;

/// A queue that returns its newest value first: a stack.
pub type LifoQueue<T> = AnyQueue<Vec<T>>;

/// A queue that returns its smallest value first; the order of equal values is not defined.
///
/// A comparison must not use the queue that holds its value: the queue panics then. If a comparison
/// panics, the queue stays usable; a value that was being got is lost.
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

/// The type of [`Queue`], [`LifoQueue`] and [`PriorityQueue`]: a queue in the order of `C`.
pub struct AnyQueue<C> {
    values: RefCell<C>,
    /// `usize::MAX`: unbounded.
    capacity: usize,
    /// The number of values in the container.
    filled: Cell<usize>,
    /// The free slots, and the tasks that wait to put. Closed when the queue is closed.
    slots: QueuePermits,
    /// The values, and the tasks that wait to get. Ended when no more values can come, closed by
    /// `close_now`.
    items: QueuePermits,
    /// The number of values that were put and not reported done.
    unfinished: Cell<usize>,
    /// The tasks in `join`, notified when all work is done.
    done: NotifyList,
}

/// The slots of a queue, or its values, as permits. A task that waits for them waits for a channel.
struct QueuePermits(RawSemaphore);

/// Calls a function when it is dropped, also if a comparison of values or a waker panicked.
struct OnDrop<'a, C: Container>(&'a AnyQueue<C>, fn(&AnyQueue<C>));

impl<C: Container> AnyQueue<C> {
    /// Returns a queue that holds up to `capacity` values; `put` waits while it is full.
    ///
    /// # Panics
    ///
    /// Panics if `capacity` is zero.
    pub fn bounded(capacity: usize) -> AnyQueue<C> {
        assert!(capacity > 0, "a bounded queue needs a capacity of at least 1");
        AnyQueue {
            values: RefCell::default(),
            capacity,
            filled: Cell::new(0),
            slots: QueuePermits(RawSemaphore::new(capacity)),
            items: QueuePermits(RawSemaphore::new(0)),
            unfinished: Cell::new(0),
            done: NotifyList::new(false),
        }
    }

    /// Returns a queue without a limit: asyncio's `maxsize` of 0.
    pub fn unbounded() -> AnyQueue<C> {
        AnyQueue::bounded(usize::MAX)
    }

    /// Waits for a free slot and puts a value into it.
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
        let mut acquire = Acquire::new(&self.slots, 1);
        let mut value = Some(value);
        poll_fn(move |cx| {
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

    /// Puts a value if a slot is free now.
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
        let mut acquire = Acquire::new(&self.slots, 1);
        let slot = poll_fn(|cx| acquire.poll_uncounted(cx)).await;
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

    /// Waits for the next value and takes it.
    ///
    /// # Errors
    ///
    /// Returns an error if the queue is closed and all values were got.
    ///
    /// # Cancel safety
    ///
    /// No value is lost.
    pub fn get(&self) -> impl Future<Output = Result<C::Value, QueueClosed>> {
        let mut acquire = Acquire::new(&self.items, 1);
        poll_fn(move |cx| {
            let item = ready!(acquire.poll_uncounted(cx));
            Poll::Ready(item.map(|_| self.take_value()).map_err(|_| QueueClosed))
        })
    }

    /// Takes the next value if there is one now.
    ///
    /// # Errors
    ///
    /// Returns an error if the queue is empty, or closed with all values got.
    #[doc(alias = "get_nowait")]
    pub fn try_get(&self) -> Result<C::Value, TryGetError> {
        match self.items.try_take(1) {
            Ok(()) => Ok(self.take_value()),
            Err(Refusal::Short) => Err(TryGetError::Empty),
            Err(Refusal::Closed) => Err(TryGetError::Closed),
        }
    }

    /// Returns the number of values that can be got now without waiting. A value that is assigned
    /// to a waiting task is not counted.
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        self.items.free()
    }

    /// Returns whether a `get` would wait.
    #[doc(alias = "empty")]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether a `put` would wait: no slot is free. A slot that is reserved by a permit, or
    /// assigned to a waiting task, is not free.
    #[doc(alias = "full")]
    pub fn is_full(&self) -> bool {
        self.slots.free() == 0
    }

    /// Returns the number of values that the queue can hold. `None`: unbounded.
    #[doc(alias = "maxsize")]
    pub fn capacity(&self) -> Option<usize> {
        (self.capacity < usize::MAX).then_some(self.capacity)
    }

    /// Reports that the work on a value is done.
    ///
    /// # Panics
    ///
    /// Panics if it is called more often than values were put.
    pub fn task_done(&self) {
        let left = self.unfinished.get().checked_sub(1);
        let left = left.expect("task_done was called more often than values were put");
        self.unfinished.set(left);
        self.notify_if_done();
    }

    /// Waits until every value that was put was got and [reported done](AnyQueue::task_done).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn join(&self) {
        poll_fn(budget::poll_left).await;
        let done = self.done.wait();
        if self.unfinished.get() > 0 {
            return done.await;
        }
        budget::spend();
    }

    /// Closes the queue: nothing more can be put. Values in the queue, and those that are put with
    /// a permit from before, can still be got.
    #[doc(alias = "shutdown")]
    pub fn close(&self) {
        self.slots.close_now();
        let _last = OnDrop(self, AnyQueue::end_if_complete);
        self.slots.refuse();
    }

    /// Closes the queue, drops the values in it, and counts them as done: asyncio's
    /// `shutdown(immediate=True)`. Nothing more can be put or got. A value that is put with a
    /// permit from before is dropped.
    #[doc(alias = "shutdown")]
    pub fn close_now(&self) {
        // The values are dropped last: their destructors are user code and may panic.
        let _values = mem::take(&mut *self.borrow());
        let dropped = self.filled.take();
        // Saturating: a value can be reported done before it was got.
        self.unfinished.set(self.unfinished.get().saturating_sub(dropped));
        self.slots.close_now();
        self.slots.give(dropped);
        self.items.close_now();
        self.items.take_all();
        // The state is final from here on. Waking runs user code: the steps are guards, so that a
        // panic in one does not skip the others.
        let _last = OnDrop(self, AnyQueue::notify_if_done);
        let _second = OnDrop(self, |queue| queue.items.refuse());
        self.slots.refuse();
    }

    /// Returns whether the queue was closed.
    pub fn is_closed(&self) -> bool {
        self.slots.is_closed()
    }

    /// Takes a value that was assigned to the caller.
    fn take_value(&self) -> C::Value {
        let _counts = OnDrop(self, |queue| {
            queue.filled.set(queue.filled.get() - 1);
            queue.slots.give(1);
        });
        self.borrow().pop().expect("every assigned value is in the container")
    }

    /// Fills a slot that belongs to the caller.
    fn fill(&self, value: C::Value) {
        let _last = OnDrop(self, AnyQueue::end_if_complete);
        let _counts = OnDrop(self, |queue| {
            queue.filled.set(queue.filled.get() + 1);
            queue.unfinished.set(queue.unfinished.get() + 1);
            queue.items.give(1);
        });
        self.borrow().push(value);
    }

    /// Frees a slot that belongs to the caller.
    fn free_slot(&self) {
        let _last = OnDrop(self, AnyQueue::end_if_complete);
        self.slots.give(1);
    }

    /// Ends the supply of values if none can come: the queue is closed, and the last permit is
    /// gone.
    fn end_if_complete(&self) {
        if self.is_closed() && self.slots.free() + self.filled.get() == self.capacity {
            self.items.end();
        }
    }

    fn notify_if_done(&self) {
        if self.unfinished.get() == 0 {
            self.done.notify_all();
        }
    }

    fn borrow(&self) -> RefMut<'_, C> {
        let values = self.values.try_borrow_mut();
        values.expect("a comparison of values used the queue that holds them")
    }
}

impl HasSemaphore for QueuePermits {
    const WAITS_FOR: WaitsFor = WaitsFor::Channel;

    fn semaphore(&self) -> &RawSemaphore {
        &self.0
    }
}

impl Deref for QueuePermits {
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

/// A reserved slot of a queue; made by [`AnyQueue::reserve`]. Dropping it frees the slot.
#[must_use = "dropping a permit frees its slot"]
pub struct Permit<'a, C: Container> {
    queue: &'a AnyQueue<C>,
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
