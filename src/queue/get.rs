//! Getting values from a queue, and looking at them.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::any_queue::{AnyQueue, QueuePermits};
use super::container::Container;
use super::error::{QueueClosed, TryGetError};
use crate::current::leaf;
use crate::sync::raw_semaphore::{Acquire, RawPermit, Refusal};

/// The values of a queue, until it is closed and empty; [`AnyQueue::stream`] makes it.
///
/// # Cancel safety
///
/// Dropping the stream loses no value.
#[must_use = "a stream does nothing unless it is polled"]
pub struct QueueStream<'a, C: Container> {
    queue: &'a AnyQueue<C>,
    get: Option<Get<'a, C>>,
}

/// A request for a value.
struct Get<'a, C: Container> {
    acquire: Acquire<&'a QueuePermits>,
    queue: &'a AnyQueue<C>,
    getter: Option<Getter<'a, C>>,
}

/// A waiting request, which a queue with a capacity of 0 has a slot for.
struct Getter<'a, C: Container>(&'a AnyQueue<C>);

impl<C: Container> AnyQueue<C> {
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
        let mut get = Get::new(self);
        leaf(move |cx| get.poll(cx))
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

    /// Waits for a value and returns a clone of the next one, which stays in the queue: gevent's
    /// `peek`.
    ///
    /// The wait has its place among the tasks that get. Another task may take the value afterwards,
    /// before this one gets it.
    ///
    /// ```
    /// use evloop::queue::Queue;
    ///
    /// evloop::block_on(async {
    ///     let queue = Queue::unbounded();
    ///     queue.try_put("a").unwrap();
    ///     assert_eq!((queue.peek().await, queue.len()), (Ok("a"), 1));
    ///     assert_eq!(queue.snapshot(), ["a"]);
    ///     assert_eq!(queue.get().await, Ok("a"));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the queue is closed and all values were got.
    ///
    /// # Panics
    ///
    /// Panics if the clone of a value uses the queue.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses only its place in the wait queue.
    pub async fn peek(&self) -> Result<C::Value, QueueClosed>
    where
        C::Value: Clone,
    {
        let mut acquire = Acquire::new(&self.items, 1);
        // Releases the value to the next task when this returns.
        let _item = leaf(|cx| acquire.poll(cx)).await.map_err(|_| QueueClosed)?;
        Ok(self.clone_next())
    }

    /// Returns a clone of the next value, which stays in the queue, if there is one now.
    ///
    /// # Errors
    ///
    /// Returns an error if the queue is empty, or closed with all values got.
    ///
    /// # Panics
    ///
    /// Panics if the clone of a value uses the queue.
    #[doc(alias = "peek_nowait")]
    pub fn try_peek(&self) -> Result<C::Value, TryGetError>
    where
        C::Value: Clone,
    {
        match RawPermit::try_new(&self.items, 1) {
            Ok(_item) => Ok(self.clone_next()),
            Err(Refusal::Short) => Err(TryGetError::Empty),
            Err(Refusal::Closed) => Err(TryGetError::Closed),
        }
    }

    /// Returns clones of all values in the queue, in the order in which they are got.
    ///
    /// # Panics
    ///
    /// Panics if the clone of a value uses the queue.
    #[doc(alias = "copy")]
    pub fn snapshot(&self) -> Vec<C::Value>
    where
        C::Value: Clone,
    {
        self.borrow().in_order().into_iter().cloned().collect()
    }

    /// Returns a stream of the values, until the queue is closed and empty. Several streams and
    /// getting tasks share the values: each value goes to one of them.
    ///
    /// ```
    /// use evloop::queue::Queue;
    /// use futures::StreamExt;
    ///
    /// evloop::block_on(async {
    ///     let queue = Queue::unbounded();
    ///     for n in 1..=3 {
    ///         queue.try_put(n).unwrap();
    ///     }
    ///     queue.close();
    ///     assert_eq!(queue.stream().collect::<Vec<_>>().await, [1, 2, 3]);
    /// });
    /// ```
    pub fn stream(&self) -> QueueStream<'_, C> {
        QueueStream { queue: self, get: None }
    }

    fn clone_next(&self) -> C::Value
    where
        C::Value: Clone,
    {
        self.borrow().next().expect("every assigned value is in the container").clone()
    }
}

impl<'a, C: Container> Get<'a, C> {
    fn new(queue: &'a AnyQueue<C>) -> Get<'a, C> {
        Get { acquire: Acquire::new(&queue.items, 1), queue, getter: None }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<C::Value, QueueClosed>> {
        let Poll::Ready(item) = self.acquire.poll_uncounted(cx) else {
            if self.queue.is_rendezvous() && self.getter.is_none() {
                self.getter = Some(Getter::new(self.queue));
            }
            return Poll::Pending;
        };
        if let Some(getter) = self.getter.take() {
            getter.leave_with_value();
        }
        Poll::Ready(item.map(|_| self.queue.take_value()).map_err(|_| QueueClosed))
    }
}

impl<'a, C: Container> Getter<'a, C> {
    fn new(queue: &'a AnyQueue<C>) -> Getter<'a, C> {
        queue.change_getters(1);
        // Made before the wakers are called: if one panics, its drop ends the wait.
        let getter = Getter(queue);
        queue.balance();
        getter
    }

    /// Ends the wait of a task that takes a value: taking it balances the slots.
    fn leave_with_value(self) {
        self.0.change_getters(-1);
        mem::forget(self);
    }
}

impl<C: Container> Drop for Getter<'_, C> {
    fn drop(&mut self) {
        self.0.change_getters(-1);
        self.0.balance();
    }
}

impl<C: Container> Stream for QueueStream<'_, C> {
    type Item = C::Value;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<C::Value>> {
        let queue = self.queue;
        let value = ready!(self.get.get_or_insert_with(|| Get::new(queue)).poll(cx));
        self.get = None;
        Poll::Ready(value.ok())
    }
}

impl<C: Container> fmt::Debug for QueueStream<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("QueueStream").field(self.queue).finish()
    }
}
