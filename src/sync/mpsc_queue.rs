//! What the halves of a queue share: its values, its slots, and who waits for them.
//!
//! Invariant of a bounded queue: its values, its kept slots and its free ones together are its
//! capacity; a slot is free only while nobody waits for one.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use super::mpsc_error::{SendError, TryRecvError};
use crate::budget;
use crate::wait_list::{WaitKey, WaitList};
use crate::waker_slot::keep;

/// A queue, and what its halves know of each other.
pub(super) struct Queue<T> {
    /// Without a bound the slots are not counted.
    is_bounded: bool,
    values: RefCell<VecDeque<T>>,
    /// Slots that are neither filled nor kept.
    free: Cell<usize>,
    /// Slots that are kept: by a permit, or by a waiting sender that was chosen.
    kept: Cell<usize>,
    /// Senders that wait for a slot. Empty once the queue is closed.
    waiting: RefCell<WaitList>,
    senders: Cell<usize>,
    /// Nothing more is sent, but by permits.
    is_closed: Cell<bool>,
    /// The receiver is gone: not even by permits.
    is_abandoned: Cell<bool>,
    /// Of the receiver, while it waits for a value.
    receiver: Cell<Option<Waker>>,
}

/// Who is to be woken, also if one of them panics.
struct Rest(VecDeque<Waker>);

/// A sender that waits for a slot.
pub(super) struct Reserve<'a, T> {
    queue: &'a Queue<T>,
    key: WaitKey,
}

impl<'a, T> Reserve<'a, T> {
    pub(super) fn new(queue: &'a Queue<T>) -> Reserve<'a, T> {
        Reserve { queue, key: WaitKey::default() }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<()>>> {
        ready!(budget::poll_left(cx));
        if let Some(result) = self.look() {
            return Poll::Ready(result);
        }
        if self.key.has_place() && self.queue.waiting.borrow().will_wake(self.key, cx.waker()) {
            return Poll::Pending;
        }
        let waker = cx.waker().clone();
        // Looked at again: cloning a waker is foreign, and may have received or closed.
        if let Some(result) = self.look() {
            return Poll::Ready(result);
        }
        let old = self.queue.waiting.borrow_mut().wait(&mut self.key, waker);
        drop(old);
        Poll::Pending
    }

    pub(super) fn queue(&self) -> &'a Queue<T> {
        self.queue
    }

    /// Whether a slot is kept for this now, or the queue is closed.
    fn look(&mut self) -> Option<Result<(), SendError<()>>> {
        let Reserve { queue, key } = self;
        if queue.is_closed.get() {
            // Its place went with the list.
            *key = WaitKey::default();
            return Some(Err(SendError(())));
        }
        if !key.has_place() {
            if !queue.try_keep() {
                return None;
            }
        } else {
            let mut waiting = queue.waiting.borrow_mut();
            if !waiting.is_chosen(*key) {
                return None;
            }
            waiting.remove(key);
        }
        budget::spend();
        Some(Ok(()))
    }
}

impl<T> Queue<T> {
    /// Without a capacity: unbounded.
    pub(super) fn new(capacity: Option<usize>) -> Rc<Queue<T>> {
        Rc::new(Queue {
            is_bounded: capacity.is_some(),
            values: RefCell::default(),
            free: Cell::new(capacity.unwrap_or(0)),
            kept: Cell::new(0),
            waiting: RefCell::new(WaitList::new()),
            senders: Cell::new(1),
            is_closed: Cell::new(false),
            is_abandoned: Cell::new(false),
            receiver: Cell::new(None),
        })
    }

    /// Keeps a slot if one is free.
    pub(super) fn try_keep(&self) -> bool {
        let free = self.free.get();
        if free > 0 {
            self.free.set(free - 1);
            self.kept.set(self.kept.get() + 1);
        }
        free > 0
    }

    /// Gives a slot that is neither filled nor kept to who waited longest, or frees it.
    fn release(&self) {
        let chosen = self.waiting.borrow_mut().choose();
        match chosen {
            Some(waker) => {
                self.kept.set(self.kept.get() + 1);
                waker.wake();
            }
            None => self.free.set(self.free.get() + 1),
        }
    }

    /// Gives a kept slot on.
    pub(super) fn give_back(&self) {
        self.kept.set(self.kept.get() - 1);
        self.release();
        if self.is_closed.get() {
            // It may have been the last that could still be filled.
            self.wake_receiver();
        }
    }

    pub(super) fn push(&self, value: T) {
        self.values.borrow_mut().push_back(value);
        self.wake_receiver();
    }

    #[inline]
    pub(super) fn pop(&self) -> Result<T, TryRecvError> {
        let value = self.values.borrow_mut().pop_front().ok_or_else(|| self.why_empty())?;
        if self.is_bounded {
            self.release();
        }
        Ok(value)
    }

    fn why_empty(&self) -> TryRecvError {
        // A permit borrows its sender: without senders nobody can fill a slot.
        if self.senders.get() == 0 || (self.is_closed.get() && self.kept.get() == 0) {
            return TryRecvError::Closed;
        }
        TryRecvError::Empty
    }

    pub(super) fn close(&self) {
        self.is_closed.set(true);
        let mut waiting = self.waiting.replace(WaitList::new());
        let wakers: VecDeque<_> = std::iter::from_fn(|| waiting.choose()).collect();
        // Who was chosen and has not looked yet will learn that the queue is closed.
        let chosen = waiting.len() - wakers.len();
        self.kept.set(self.kept.get() - chosen);
        self.free.set(self.free.get() + chosen);
        let mut rest = Rest(wakers);
        while let Some(waker) = rest.0.pop_front() {
            waker.wake();
        }
    }

    pub(super) fn keep_receiver(&self, waker: &Waker) {
        keep(&self.receiver, waker);
    }

    pub(super) fn forget_receiver(&self) {
        drop(self.receiver.take());
    }

    fn wake_receiver(&self) {
        if let Some(receiver) = self.receiver.take() {
            receiver.wake();
        }
    }

    /// One of the senders was dropped.
    pub(super) fn drop_sender(&self) {
        self.senders.set(self.senders.get() - 1);
        if self.senders.get() == 0 {
            self.wake_receiver();
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    pub(super) fn len(&self) -> usize {
        self.values.borrow().len()
    }

    pub(super) fn free(&self) -> usize {
        if self.is_closed.get() { 0 } else { self.free.get() }
    }

    /// The receiver is gone: drops what it did not take.
    pub(super) fn abandon(&self) {
        self.is_abandoned.set(true);
        self.close();
        self.forget_receiver();
        let values = self.values.take();
        drop(values);
    }

    /// Fills a kept slot.
    pub(super) fn fill(&self, value: T) {
        self.kept.set(self.kept.get() - 1);
        if !self.is_abandoned.get() {
            self.push(value);
        }
    }

    pub(super) fn add_sender(self: &Rc<Self>) -> Rc<Self> {
        self.senders.set(self.senders.get() + 1);
        self.clone()
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}

impl<T> Drop for Reserve<'_, T> {
    fn drop(&mut self) {
        if !self.key.has_place() || self.queue.is_closed.get() {
            return;
        }
        let mut waiting = self.queue.waiting.borrow_mut();
        let was_chosen = waiting.is_chosen(self.key);
        let waker = waiting.remove(&mut self.key);
        drop(waiting);
        drop(waker);
        if was_chosen {
            self.queue.give_back();
        }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.values.borrow().len())
            .field("is_closed", &self.is_closed.get())
            .finish_non_exhaustive()
    }
}
