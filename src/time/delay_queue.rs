//! A queue of values, each with a deadline.
//!
//! Invariant: the sleep ends at the deadline of the first value.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;
use slab::Slab;

use super::sleep::{Sleep, now};
use crate::clock;
use crate::current::{budget, leaf};
use crate::wait::store_waker;

/// A queue of values that come out at their deadlines: tokio-util's `DelayQueue`. It is a `Stream`
/// of the [`Expired`] values, too.
///
/// Values come out in the order of their deadlines, equal deadlines in the order of insertion. The
/// queue needs one timer for all values; inserting, removing and resetting take logarithmic time.
///
/// [`expired`](DelayQueue::expired) borrows the queue while it waits. If other tasks insert
/// meanwhile, keep the queue in a `RefCell` and call [`poll_expired`](DelayQueue::poll_expired),
/// which borrows it for one poll.
///
/// ```
/// use evloop::time::DelayQueue;
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     let mut sessions = DelayQueue::new();
///     let ada = sessions.insert("ada", Duration::from_millis(1));
///     let bob = sessions.insert("bob", Duration::from_millis(2));
///     let eve = sessions.insert("eve", Duration::from_millis(3));
///     sessions.reset(&ada, Duration::from_millis(4));
///     assert_eq!(sessions.remove(&eve).into_inner(), "eve");
///     assert_eq!(sessions.peek(), Some(bob));
///     assert_eq!(sessions.expired().await.unwrap().into_inner(), "bob");
///     assert_eq!(sessions.expired().await.unwrap().into_inner(), "ada");
///     assert!(sessions.expired().await.is_none());
/// });
/// ```
pub struct DelayQueue<T> {
    values: Slab<Entry<T>>,
    /// The indices of the values, in the order in which they expire.
    order: BTreeMap<Place, usize>,
    /// The number of the next insertion or reset.
    next: u64,
    sleep: Sleep,
    /// The deadline of the sleep. Stored here too, because the sleep rounds it to its clock. `None`
    /// if it never ends.
    armed: Option<Instant>,
    /// The waker of a task that found the queue empty.
    empty_waiter: Cell<Option<Waker>>,
}

/// The place of a value in the order: its deadline, then the number of its insertion or reset.
type Place = (Instant, u64);

struct Entry<T> {
    value: T,
    /// The number of the insertion.
    id: u64,
    place: Place,
}

/// Names a value of a [`DelayQueue`]. It never names another value of the queue, not even after its
/// own has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "Key")]
pub struct Delay {
    index: usize,
    id: u64,
}

/// A value that has left a [`DelayQueue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired<T> {
    value: T,
    deadline: Instant,
    delay: Delay,
}

impl<T> DelayQueue<T> {
    /// Returns an empty queue. It needs no loop until it is first polled.
    pub fn new() -> DelayQueue<T> {
        DelayQueue::with_capacity(0)
    }

    /// Returns an empty queue that allocates memory for `capacity` values now.
    pub fn with_capacity(capacity: usize) -> DelayQueue<T> {
        DelayQueue {
            values: Slab::with_capacity(capacity),
            order: BTreeMap::new(),
            next: 0,
            sleep: Sleep::never(),
            armed: None,
            empty_waiter: Cell::new(None),
        }
    }

    /// Inserts a value that expires after `duration`.
    pub fn insert(&mut self, value: T, duration: Duration) -> Delay {
        self.insert_at(value, clock::add(now(), duration))
    }

    /// Inserts a value that expires at `deadline`. A task that waits for the queue is woken at that
    /// deadline if it is the first; one that found the queue empty is woken at once.
    pub fn insert_at(&mut self, value: T, deadline: Instant) -> Delay {
        let place = self.next_place(deadline);
        let index = self.values.insert(Entry { value, id: place.1, place });
        self.order.insert(place, index);
        self.arm();
        if let Some(waiter) = self.empty_waiter.take() {
            waiter.wake();
        }
        Delay { index, id: place.1 }
    }

    /// Removes a value and returns it.
    ///
    /// # Panics
    ///
    /// Panics if the value has left the queue.
    #[track_caller]
    pub fn remove(&mut self, delay: &Delay) -> Expired<T> {
        let Some(removed) = self.try_remove(delay) else { no_value() };
        removed
    }

    /// Removes a value and returns it. Returns `None` if the value has left the queue.
    pub fn try_remove(&mut self, delay: &Delay) -> Option<Expired<T>> {
        let place = self.entry(delay)?.place;
        let expired = self.take(place, delay.index);
        self.arm();
        Some(expired)
    }

    /// Lets a value expire after `duration` from now.
    ///
    /// # Panics
    ///
    /// Panics if the value has left the queue.
    #[track_caller]
    pub fn reset(&mut self, delay: &Delay, duration: Duration) {
        self.reset_at(delay, clock::add(now(), duration));
    }

    /// Lets a value expire at `deadline`, behind the values that have this deadline already.
    ///
    /// # Panics
    ///
    /// Panics if the value has left the queue.
    #[track_caller]
    pub fn reset_at(&mut self, delay: &Delay, deadline: Instant) {
        let Some(entry) = self.entry(delay) else { no_value() };
        let old = entry.place;
        let new = self.next_place(deadline);
        self.order.remove(&old);
        self.order.insert(new, delay.index);
        self.values[delay.index].place = new;
        self.arm();
    }

    /// Returns when a value expires.
    ///
    /// # Panics
    ///
    /// Panics if the value has left the queue.
    #[track_caller]
    pub fn deadline(&self, delay: &Delay) -> Instant {
        let Some(entry) = self.entry(delay) else { no_value() };
        entry.place.0
    }

    /// Returns the value that expires next. It may have expired.
    pub fn peek(&self) -> Option<Delay> {
        let (_, &index) = self.order.first_key_value()?;
        Some(Delay { index, id: self.values[index].id })
    }

    /// Returns the number of values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns whether the queue holds no value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Drops all values.
    pub fn clear(&mut self) {
        self.order.clear();
        let values = mem::take(&mut self.values);
        self.arm();
        // Last: the destructor of a value is user code.
        drop(values);
    }

    /// Waits until a value has expired, and removes it. Returns `None` if the queue is empty.
    ///
    /// # Cancel safety
    ///
    /// No value is lost.
    #[doc(alias = "next")]
    pub fn expired(&mut self) -> impl Future<Output = Option<Expired<T>>> {
        leaf(move |cx| self.poll_expired(cx))
    }

    /// Polls for the next expired value. See [`expired`](DelayQueue::expired).
    ///
    /// The queue stores the waker of the last call. It wakes it also when the queue becomes empty,
    /// and, if it was empty, at the next insertion. So a function that treats an empty queue as
    /// pending waits for the values that are yet to come:
    ///
    /// ```
    /// use evloop::time::DelayQueue;
    /// use std::{cell::RefCell, future::poll_fn, rc::Rc, task::Poll, time::Duration};
    ///
    /// async fn next_expired(queue: &RefCell<DelayQueue<u32>>) -> u32 {
    ///     let expired = poll_fn(|cx| match queue.borrow_mut().poll_expired(cx) {
    ///         Poll::Ready(Some(expired)) => Poll::Ready(expired),
    ///         Poll::Ready(None) | Poll::Pending => Poll::Pending,
    ///     });
    ///     expired.await.into_inner()
    /// }
    ///
    /// evloop::block_on(async {
    ///     let queue = Rc::new(RefCell::new(DelayQueue::new()));
    ///     let inserted = queue.clone();
    ///     evloop::spawn(async move { inserted.borrow_mut().insert(7, Duration::ZERO) });
    ///     assert_eq!(next_expired(&queue).await, 7);
    /// });
    /// ```
    pub fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<Option<Expired<T>>> {
        ready!(budget::poll_left(cx));
        let Some((&place, &index)) = self.order.first_key_value() else {
            budget::spend();
            store_waker(&self.empty_waiter, cx.waker());
            return Poll::Ready(None);
        };
        if place.0 > now() {
            ready!(Pin::new(&mut self.sleep).poll(cx));
        }
        budget::spend();
        let expired = self.take(place, index);
        self.arm();
        Poll::Ready(Some(expired))
    }

    fn next_place(&mut self, deadline: Instant) -> Place {
        self.next += 1;
        (deadline, self.next)
    }

    fn entry(&self, delay: &Delay) -> Option<&Entry<T>> {
        self.values.get(delay.index).filter(|entry| entry.id == delay.id)
    }

    fn take(&mut self, place: Place, index: usize) -> Expired<T> {
        self.order.remove(&place);
        let Entry { value, id, place } = self.values.remove(index);
        Expired { value, deadline: place.0, delay: Delay { index, id } }
    }

    /// Sets the sleep to the deadline of the first value. If there is none, ends the sleep: that
    /// wakes a task that waits for the queue.
    fn arm(&mut self) {
        let first = self.order.first_key_value().map(|(place, _)| place.0);
        if self.armed != first {
            self.armed = first;
            self.sleep.reset(first.unwrap_or_else(now));
        }
    }
}

#[cold]
#[track_caller]
fn no_value() -> ! {
    panic!("the value has left the DelayQueue: it expired, or was removed");
}

impl<T> Expired<T> {
    /// Returns the value.
    pub fn get_ref(&self) -> &T {
        &self.value
    }

    /// Returns the value.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.value
    }

    /// Returns the value.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Returns when the value expired, or would have expired.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Returns the name that the value had in the queue.
    #[doc(alias = "key")]
    pub fn delay(&self) -> Delay {
        self.delay
    }
}

impl<T> Default for DelayQueue<T> {
    fn default() -> DelayQueue<T> {
        DelayQueue::new()
    }
}

// No value is pinned.
impl<T> Unpin for DelayQueue<T> {}

impl<T> Stream for DelayQueue<T> {
    type Item = Expired<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Expired<T>>> {
        self.poll_expired(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // More may be inserted.
        (self.len(), None)
    }
}

impl<T> fmt::Debug for DelayQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelayQueue").field("len", &self.len()).finish_non_exhaustive()
    }
}
