//! A queue from which every receiver gets every value.

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

/// Sends to all receivers; made by [`channel`]. Its clones send to the same.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

/// Receives every value that is sent after it was made, by [`channel`] or [`Sender::subscribe`].
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
    /// The number of the value that it receives next.
    next: u64,
}

/// Invariant: a value is read by no fewer receivers than a later one, so the first that is read by
/// all is at the front.
struct Shared<T> {
    capacity: usize,
    values: RefCell<VecDeque<Sent<T>>>,
    /// The number of the value at the front.
    first: Cell<u64>,
    senders: Cell<usize>,
    receivers: Cell<usize>,
    waiters: NotifyList,
}

/// A value in the queue.
struct Sent<T> {
    /// In an `Rc`, so that it is cloned while nothing is borrowed.
    value: Rc<T>,
    /// How many receivers it is still for.
    unread: usize,
}

/// A channel that keeps the last `capacity` values for who has not received them yet.
///
/// Sending never waits. A receiver that falls back behind more than `capacity` values is told how
/// many it missed, and goes on with the oldest that is left.
///
/// # Panics
///
/// If `capacity` is zero.
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
    /// Sends a value to all receivers. Returns how many there are.
    ///
    /// # Errors
    ///
    /// If there is none, the value comes back.
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        let shared = &self.shared;
        let receivers = shared.receivers.get();
        if receivers == 0 {
            return Err(SendError(value));
        }
        let mut values = shared.values.borrow_mut();
        let missed = if values.len() == shared.capacity { shared.pop(&mut values) } else { None };
        values.push_back(Sent { value: Rc::new(value), unread: receivers });
        drop(values);
        shared.waiters.notify_all();
        drop(missed);
        Ok(receivers)
    }

    /// One more receiver: of what is sent from now on.
    pub fn subscribe(&self) -> Receiver<T> {
        let shared = self.shared.clone();
        shared.receivers.set(shared.receivers.get() + 1);
        let next = shared.first.get() + shared.values.borrow().len() as u64;
        Receiver { shared, next }
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.shared.receivers.get()
    }
}

impl<T: Clone> Receiver<T> {
    /// Waits for the next value. The last receiver of a value gets it itself, the others clones.
    ///
    /// # Errors
    ///
    /// [`RecvError::Lagged`] if values were missed, once for all of them; [`RecvError::Closed`] if
    /// the senders were dropped, and everything was received.
    ///
    /// # Cancel safety
    ///
    /// No value is lost.
    pub async fn recv(&mut self) -> Result<T, RecvError> {
        let Receiver { shared, next } = self;
        poll_fn(budget::poll_left).await;
        loop {
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

    /// Receives the next value if it is there.
    ///
    /// # Errors
    ///
    /// If it is not, if values were missed, or if none will come.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.shared.take(&mut self.next).map(Rc::unwrap_or_clone)
    }
}

impl<T> Shared<T> {
    /// The value that is `next`, which goes on to the one behind it.
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

    /// Takes out the value at the front.
    fn pop(&self, values: &mut VecDeque<Sent<T>>) -> Option<Rc<T>> {
        let sent = values.pop_front()?;
        self.first.set(self.first.get() + 1);
        Some(sent.value)
    }

    /// A receiver is gone that had received what comes before `next`. Returns what was only for it.
    fn leave(&self, next: u64) -> Vec<Rc<T>> {
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
        drop(self.shared.leave(self.next));
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
