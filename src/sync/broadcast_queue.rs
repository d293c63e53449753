//! The state that the halves of a [`broadcast`](super::broadcast) channel share.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::broadcast_error::TryRecvError;
use super::notify_list::NotifyList;

/// The state of a channel. Weak senders are the weak references to it.
///
/// Invariant: an older value has at most as many unread receivers as a newer one. So the first
/// value that every receiver has read is at the front.
pub(super) struct Shared<T> {
    capacity: usize,
    values: RefCell<VecDeque<Sent<T>>>,
    /// The sequence number of the value at the front.
    first: Cell<u64>,
    pub(super) senders: Cell<usize>,
    pub(super) receivers: Cell<usize>,
    /// Notified when a value was sent, or the last sender was dropped.
    pub(super) waiters: NotifyList,
    /// Notified when the last receiver was dropped.
    pub(super) closed: NotifyList,
}

/// A value in the queue.
struct Sent<T> {
    /// In an `Rc`: user code clones the value while nothing is borrowed.
    value: Rc<T>,
    /// The number of receivers that have not read it.
    unread: usize,
}

impl<T> Shared<T> {
    /// Creates a channel with one sender and no receiver.
    pub(super) fn new(capacity: usize) -> Rc<Shared<T>> {
        Rc::new(Shared {
            capacity,
            values: RefCell::default(),
            first: Cell::new(0),
            senders: Cell::new(1),
            receivers: Cell::new(0),
            waiters: NotifyList::new(false),
            closed: NotifyList::new(false),
        })
    }

    /// Appends a value for all receivers, and wakes them.
    pub(super) fn push(&self, value: T) {
        let mut values = self.values.borrow_mut();
        // A destructor is user code: the dropped value outlives the borrow.
        let dropped = if values.len() == self.capacity { self.pop(&mut values) } else { None };
        values.push_back(Sent { value: Rc::new(value), unread: self.receivers.get() });
        drop(values);
        self.waiters.notify_all();
        drop(dropped);
    }

    /// Returns the number of values in the channel.
    pub(super) fn len(&self) -> usize {
        self.values.borrow().len()
    }

    /// Returns the sequence number of the value that is sent next.
    pub(super) fn next(&self) -> u64 {
        self.first.get() + self.len() as u64
    }

    /// Returns the value with the number `next`, and advances `next`.
    pub(super) fn take(&self, next: &mut u64) -> Result<Rc<T>, TryRecvError> {
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
    pub(super) fn remove_receiver(&self, next: u64) -> Vec<Rc<T>> {
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
