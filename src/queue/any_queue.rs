//! A queue of values that counts the values whose work is not done.

use std::cell::{Cell, RefCell, RefMut};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::ops::Deref;

use super::container::Container;
use crate::current::{WaitsFor, budget};
use crate::sync::notify_list::NotifyList;
use crate::sync::raw_semaphore::{HasSemaphore, RawSemaphore};

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
    /// The number of slots: the capacity, or those of a rendezvous, which has one for each task
    /// that gets, and one for each value that no task waits for any more.
    slot_count: Cell<usize>,
    /// The number of tasks that wait to get from a rendezvous.
    getters: Cell<usize>,
    /// The number of values in the container.
    filled: Cell<usize>,
    /// The free slots, and the tasks that wait to put. Closed when the queue is closed.
    pub(super) slots: QueuePermits,
    /// The values, and the tasks that wait to get. Ended when no more values can come, closed by
    /// `close_now`.
    pub(super) items: QueuePermits,
    /// The number of values that were put and not reported done.
    unfinished: Cell<usize>,
    /// The tasks in `join`, notified when all work is done.
    done: NotifyList,
}

/// The slots of a queue, or its values, as permits. A task that waits for them waits for a channel.
pub(super) struct QueuePermits(RawSemaphore);

/// Calls a function when it is dropped, also if a comparison of values or a waker panicked.
struct OnDrop<'a, C: Container>(&'a AnyQueue<C>, fn(&AnyQueue<C>));

impl<C: Container> AnyQueue<C> {
    /// Returns a queue that holds up to `capacity` values; `put` waits while it is full.
    ///
    /// With a capacity of 0 it is a rendezvous: `put` waits until a task gets, and the value goes
    /// to that task. This is gevent's `Channel`; asyncio's `maxsize` of 0 is
    /// [`unbounded`](AnyQueue::unbounded). The queue stores a value only if the task that waited
    /// for it is dropped before it takes it; the next task gets it then.
    /// [`try_get`](AnyQueue::try_get) and [`peek`](AnyQueue::peek) find only stored values: they
    /// do not wait for a `put`, nor wake one.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use evloop::queue::Queue;
    ///
    /// evloop::block_on(async {
    ///     let hand = Rc::new(Queue::bounded(0));
    ///     assert!(hand.try_put(1).is_err(), "nobody waits");
    ///     let giver = hand.clone();
    ///     let put = evloop::spawn(async move { giver.put(2).await });
    ///     evloop::task::yield_now().await;
    ///     assert!(!put.is_finished());
    ///     assert_eq!(hand.get().await, Ok(2));
    ///     put.await.unwrap().unwrap();
    /// });
    /// ```
    #[doc(alias = "Channel")]
    pub fn bounded(capacity: usize) -> AnyQueue<C> {
        AnyQueue {
            values: RefCell::default(),
            capacity,
            slot_count: Cell::new(capacity),
            getters: Cell::new(0),
            filled: Cell::new(0),
            slots: QueuePermits(RawSemaphore::new(capacity)),
            items: QueuePermits(RawSemaphore::new(0)),
            unfinished: Cell::new(0),
            done: NotifyList::new(false),
        }
    }

    /// Returns a queue without a limit: asyncio's `maxsize` of 0.
    #[doc(alias = "UnboundQueue")]
    pub fn unbounded() -> AnyQueue<C> {
        AnyQueue::bounded(usize::MAX)
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

    /// Returns the number of values that were put and not [reported done](AnyQueue::task_done).
    #[doc(alias = "unfinished_tasks")]
    pub fn unfinished(&self) -> usize {
        self.unfinished.get()
    }

    /// Returns the number of tasks that wait to get or to peek. Takes time in proportion to that
    /// number.
    #[doc(alias = "getters")]
    pub fn getters_waiting(&self) -> usize {
        self.items.waiting(|_| true)
    }

    /// Returns the number of tasks that wait to put or to reserve. Takes time in proportion to that
    /// number.
    #[doc(alias = "putters")]
    pub fn putters_waiting(&self) -> usize {
        self.slots.waiting(|_| true)
    }

    /// Returns the number of values that the queue can hold. `None`: unbounded.
    #[doc(alias = "maxsize")]
    pub fn capacity(&self) -> Option<usize> {
        (self.capacity < usize::MAX).then_some(self.capacity)
    }

    /// Reports that the work on a value is done.
    ///
    /// A worker must also call it if the work fails: else [`join`](AnyQueue::join) waits forever.
    /// asyncio's `try … finally` becomes a function that does the work and returns a `Result`, and
    /// this call after it. If a worker may panic, spawn it in a
    /// [`scope`](crate::task::scope()): the scope passes the panic on, and drops the `join`.
    ///
    /// ```
    /// use evloop::queue::Queue;
    ///
    /// async fn work(job: u32) -> Result<(), String> {
    ///     if job == 2 { Err("job 2 is broken".to_owned()) } else { Ok(()) }
    /// }
    ///
    /// evloop::block_on(async {
    ///     let queue = Queue::unbounded();
    ///     (0..4).for_each(|job| queue.try_put(job).unwrap());
    ///     evloop::task::scope(async |scope| {
    ///         scope.spawn(async {
    ///             while let Ok(job) = queue.get().await {
    ///                 if let Err(error) = work(job).await {
    ///                     eprintln!("{error}");
    ///                 }
    ///                 queue.task_done();
    ///             }
    ///         });
    ///         queue.join().await;
    ///         queue.close();
    ///     })
    ///     .await;
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if it is called more often than values were put.
    #[track_caller]
    pub fn task_done(&self) {
        let Some(left) = self.unfinished.get().checked_sub(1) else {
            panic!("task_done was called more often than values were put: call it once a value");
        };
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
    pub(super) fn take_value(&self) -> C::Value {
        let _counts = OnDrop(self, |queue| {
            queue.filled.set(queue.filled.get() - 1);
            if !queue.is_rendezvous() {
                return queue.slots.give(1);
            }
            queue.slot_count.set(queue.slot_count.get() - 1);
            queue.balance();
        });
        self.borrow().pop().expect("every assigned value is in the container")
    }

    /// Fills a slot that belongs to the caller.
    pub(super) fn fill(&self, value: C::Value) {
        let _last = OnDrop(self, AnyQueue::end_if_complete);
        let _counts = OnDrop(self, |queue| {
            queue.filled.set(queue.filled.get() + 1);
            queue.unfinished.set(queue.unfinished.get() + 1);
            queue.items.give(1);
        });
        self.borrow().push(value);
    }

    /// Frees a slot that belongs to the caller.
    pub(super) fn free_slot(&self) {
        let _last = OnDrop(self, AnyQueue::end_if_complete);
        self.release(1);
    }

    pub(super) fn is_rendezvous(&self) -> bool {
        self.capacity == 0
    }

    /// Counts a task that begins or ends to wait for a value of a rendezvous. The caller balances
    /// the slots.
    pub(super) fn change_getters(&self, change: isize) {
        self.getters.set(self.getters.get().wrapping_add_signed(change));
    }

    /// Adds or removes free slots of a rendezvous: each getting task has one, unless a stored value
    /// or a reserved slot is there for it.
    pub(super) fn balance(&self) {
        if !self.is_rendezvous() || self.is_closed() {
            return;
        }
        let free = self.slots.free();
        let used = self.slot_count.get() - free;
        let wanted = self.getters.get().saturating_sub(used);
        self.slot_count.set(used + wanted);
        match wanted.checked_sub(free) {
            Some(more) => self.slots.give(more),
            None => drop(self.slots.take_up_to(free - wanted)),
        }
    }

    /// Ends the supply of values if none can come: the queue is closed, and the last permit is
    /// gone.
    fn end_if_complete(&self) {
        if self.is_closed() && self.slots.free() + self.filled.get() == self.slot_count.get() {
            self.items.end();
        }
    }

    fn notify_if_done(&self) {
        if self.unfinished.get() == 0 {
            self.done.notify_all();
        }
    }

    pub(super) fn borrow(&self) -> RefMut<'_, C> {
        let values = self.values.try_borrow_mut();
        values.expect("a comparison or a clone of values used the queue that holds them")
    }
}

/// The slots, which a rendezvous removes if no task waits for a value.
impl<C: Container> HasSemaphore for AnyQueue<C> {
    const WAITS_FOR: WaitsFor = WaitsFor::Channel;

    fn semaphore(&self) -> &RawSemaphore {
        &self.slots
    }

    fn release(&self, count: usize) {
        self.slots.give(count);
        self.balance();
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
