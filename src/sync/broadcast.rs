//! Sends every value to every receiver.
//!
//! | item | what it is |
//! |---|---|
//! | [`channel`] | creates a channel |
//! | [`Sender`] | sends, and creates more receivers by [`subscribe`](Sender::subscribe) |
//! | [`Receiver`] | receives each value that is sent after the receiver was created |
//! | [`RecvError`], [`TryRecvError`] | the channel is closed, or values were missed |
//! | [`SendError`] | there is no receiver; returns the value |
//!
//! ```
//! use evloop::sync::broadcast;
//!
//! evloop::block_on(async {
//!     let (sender, mut first) = broadcast::channel(16);
//!     let mut second = sender.subscribe();
//!     sender.send("news").unwrap();
//!     assert_eq!(first.recv().await, Ok("news"));
//!     assert_eq!(second.recv().await, Ok("news"));
//! });
//! ```

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

pub use super::broadcast_error::{RecvError, TryRecvError};
pub use super::mpsc_error::SendError;
use super::notify_list::NotifyList;
use crate::current::{self, WaitsFor, budget};

/// Sends to all receivers. [`channel`] creates it; its clones send to the same channel.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

/// Receives every value that is sent after this receiver was created by [`channel`] or
/// [`Sender::subscribe`].
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
    /// The sequence number of the value that it receives next.
    next: u64,
}

/// Invariant: an older value has at most as many unread receivers as a newer one. So the first
/// value that every receiver has read is at the front.
struct Shared<T> {
    capacity: usize,
    values: RefCell<VecDeque<Sent<T>>>,
    /// The sequence number of the value at the front.
    first: Cell<u64>,
    senders: Cell<usize>,
    receivers: Cell<usize>,
    waiters: NotifyList,
}

/// A value in the queue.
struct Sent<T> {
    /// In an `Rc`: user code clones the value while nothing is borrowed.
    value: Rc<T>,
    /// The number of receivers that have not read it.
    unread: usize,
}

/// Creates a channel that stores up to `capacity` values for receivers that have not read them.
///
/// Sending never waits: a full channel drops its oldest value. A receiver that missed values gets
/// [`RecvError::Lagged`] with their number. Then it continues with the oldest value that is left.
///
/// # Panics
///
/// Panics if `capacity` is zero.
///
/// ```
/// use evloop::sync::broadcast::{self, RecvError};
///
/// evloop::block_on(async {
///     let (sender, mut first) = broadcast::channel(2);
///     let mut second = sender.subscribe();
///     for i in 1..=3 {
///         sender.send(i).unwrap();
///         assert_eq!(first.recv().await, Ok(i));
///     }
///     assert_eq!(second.recv().await, Err(RecvError::Lagged(1)));
///     assert_eq!(second.recv().await, Ok(2));
/// });
/// ```
pub fn channel<T: Clone>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a broadcast channel needs a capacity of at least 1");
    let shared = Rc::new(Shared {
        capacity,
        values: RefCell::default(),
        first: Cell::new(0),
        senders: Cell::new(1),
        receivers: Cell::new(0),
        waiters: NotifyList::new(false),
    });
    let sender = Sender { shared };
    let receiver = sender.subscribe();
    (sender, receiver)
}

impl<T> Sender<T> {
    /// Sends a value to all receivers. Returns the number of receivers.
    ///
    /// # Errors
    ///
    /// Returns the value if there is no receiver.
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        let shared = &self.shared;
        let receivers = shared.receivers.get();
        if receivers == 0 {
            return Err(SendError(value));
        }
        let mut values = shared.values.borrow_mut();
        // A destructor is user code: the dropped value outlives the borrow.
        let dropped = if values.len() == shared.capacity { shared.pop(&mut values) } else { None };
        values.push_back(Sent { value: Rc::new(value), unread: receivers });
        drop(values);
        shared.waiters.notify_all();
        drop(dropped);
        Ok(receivers)
    }

    /// Creates another receiver. It receives the values that are sent from now on.
    pub fn subscribe(&self) -> Receiver<T> {
        let shared = self.shared.clone();
        shared.receivers.set(shared.receivers.get() + 1);
        let next = shared.first.get() + shared.values.borrow().len() as u64;
        Receiver { shared, next }
    }

    /// Returns the number of receivers.
    pub fn receiver_count(&self) -> usize {
        self.shared.receivers.get()
    }
}

impl<T: Clone> Receiver<T> {
    /// Waits for the next value. The last receiver of a value gets the value itself, the others get
    /// clones.
    ///
    /// # Errors
    ///
    /// Returns [`RecvError::Lagged`] if values were missed, once for all of them. Returns
    /// [`RecvError::Closed`] if all senders were dropped and every value was received.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no value.
    pub async fn recv(&mut self) -> Result<T, RecvError> {
        let Receiver { shared, next } = self;
        poll_fn(budget::poll_left).await;
        loop {
            // Created before the look: it reports every `notify_all` since, also one
            // that cloning a waker causes.
            let mut wait = shared.waiters.wait();
            let received = match shared.take(next) {
                Err(TryRecvError::Empty) => {
                    poll_fn(|cx| match wait.poll_notified(cx) {
                        Poll::Ready(()) => Poll::Ready(()),
                        Poll::Pending => current::pending(WaitsFor::Channel),
                    })
                    .await;
                    continue;
                }
                Ok(value) => Ok(value),
                Err(TryRecvError::Lagged(missed)) => Err(RecvError::Lagged(missed)),
                Err(TryRecvError::Closed) => Err(RecvError::Closed),
            };
            drop(wait);
            budget::spend();
            return received.map(Rc::unwrap_or_clone);
        }
    }

    /// Receives the next value if one is available.
    ///
    /// # Errors
    ///
    /// Returns an error if no value is available, if values were missed, or if the channel is
    /// closed.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.shared.take(&mut self.next).map(Rc::unwrap_or_clone)
    }
}

impl<T> Shared<T> {
    /// Returns the value with the number `next`, and advances `next`.
    fn take(&self, next: &mut u64) -> Result<Rc<T>, TryRecvError> {
        let first = self.first.get();
        if *next < first {
            let missed = first - *next;
            *next = first;
            return Err(TryRecvError::Lagged(missed));
        }
        let mut values = self.values.borrow_mut();
        let Some(sent) = values.get_mut((*next - first) as usize) else {
            return Err(match self.senders.get() {
                0 => TryRecvError::Closed,
                _ => TryRecvError::Empty,
            });
        };
        *next += 1;
        sent.unread -= 1;
        let value = sent.value.clone();
        if sent.unread == 0 {
            self.pop(&mut values);
        }
        Ok(value)
    }

    /// Removes the value at the front.
    fn pop(&self, values: &mut VecDeque<Sent<T>>) -> Option<Rc<T>> {
        let sent = values.pop_front()?;
        self.first.set(self.first.get() + 1);
        Some(sent.value)
    }

    /// Removes a receiver that has read the values before `next`. Returns the values that no other
    /// receiver has to read, for the caller to drop.
    fn remove_receiver(&self, next: u64) -> Vec<Rc<T>> {
        self.receivers.set(self.receivers.get() - 1);
        let mut values = self.values.borrow_mut();
        let received = next.saturating_sub(self.first.get()) as usize;
        values.iter_mut().skip(received).for_each(|sent| sent.unread -= 1);
        let mut unread = Vec::new();
        while values.front().is_some_and(|sent| sent.unread == 0) {
            unread.extend(self.pop(&mut values));
        }
        unread
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.shared.senders.set(self.shared.senders.get() + 1);
        Sender { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.senders.set(self.shared.senders.get() - 1);
        if self.shared.senders.get() == 0 {
            self.shared.waiters.notify_all();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        drop(self.shared.remove_receiver(self.next));
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let receivers = self.receiver_count();
        f.debug_struct("Sender").field("receivers", &receivers).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("next", &self.next).finish_non_exhaustive()
    }
}
