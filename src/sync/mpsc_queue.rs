//! What the halves of a queue share: its values, its slots, and who waits for them.
//!
//! Invariant: the values, the kept slots and the free ones together are the capacity; a slot is
//! free only while nobody waits for one.
//!
//! The slots are not [`RawSemaphore`](super::raw_semaphore): there is one receiver, so values need
//! no line, and all lies in one cell that a send or a receive borrows once. A message takes a third
//! fewer instructions than through a [queue](crate::queue), which is made of permits.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use super::mpsc_error::{SendError, TryRecvError, TrySendError};
use crate::current::{self, WaitsFor, budget};
use crate::wait::{WaitKey, WaiterList, wake};

/// More slots than can be filled: the capacity of a queue without a bound.
pub(super) const UNBOUNDED: usize = usize::MAX;

/// A queue, and what its halves know of each other.
pub(super) struct Queue<T>(RefCell<State<T>>);

struct State<T> {
    values: VecDeque<T>,
    /// Slots that are neither filled nor kept.
    free: usize,
    /// Slots that are kept: by a permit, or by a waiting sender that was chosen.
    kept: usize,
    /// Senders that wait for a slot. Empty once the queue is closed.
    waiting: WaiterList,
    senders: usize,
    /// Nothing more is sent, but by permits.
    is_closed: bool,
    /// The receiver is gone: not even by permits.
    is_abandoned: bool,
    /// Of the receiver, while it waits for a value.
    receiver: Option<Waker>,
}

/// A sender that waits for a slot.
pub(super) struct Reserve<'a, T> {
    queue: &'a Queue<T>,
    key: WaitKey,
}

impl<'a, T> Reserve<'a, T> {
    pub(super) fn new(queue: &'a Queue<T>) -> Reserve<'a, T> {
        Reserve { queue, key: WaitKey::default() }
    }

    /// Keeps a slot.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<()>>> {
        self.poll_slot(cx, |state| state.kept += 1)
    }

    /// Fills a slot with `value`, which is taken when this completes.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        value: &mut Option<T>,
    ) -> Poll<Result<(), SendError<T>>> {
        let mut take = || value.take().expect("a send was polled after it completed");
        let Ok(receiver) = ready!(self.poll_slot(cx, |state| state.push(take()))) else {
            return Poll::Ready(Err(SendError(take())));
        };
        wake(receiver);
        Poll::Ready(Ok(()))
    }

    /// Completes with what `take` makes of a slot.
    #[inline]
    fn poll_slot<R>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&mut State<T>) -> R,
    ) -> Poll<Result<R, SendError<()>>> {
        ready!(budget::poll_left(cx));
        let Reserve { queue, key } = self;
        let mut waker = None;
        loop {
            let mut state = queue.0.borrow_mut();
            if state.is_closed {
                // Its place went with the list.
                *key = WaitKey::default();
                budget::spend();
                return Poll::Ready(Err(SendError(())));
            }
            if state.try_take(key) {
                let taken = take(&mut state);
                drop(state);
                budget::spend();
                return Poll::Ready(Ok(taken));
            }
            if let Some(waker) = waker {
                let old = state.waiting.enqueue_waker(key, waker);
                drop(state);
                drop(old);
                return current::pending(WaitsFor::Channel);
            }
            if state.waiting.will_wake(*key, cx.waker()) {
                return current::pending(WaitsFor::Channel);
            }
            drop(state);
            // Then looked at again: cloning a waker is foreign, and may have received or closed.
            waker = Some(cx.waker().clone());
        }
    }

    #[cold]
    fn leave(&mut self) {
        let mut state = self.queue.0.borrow_mut();
        if state.is_closed {
            return;
        }
        let was_woken = state.waiting.is_woken(self.key);
        let waker = state.waiting.remove(&mut self.key);
        drop(state);
        drop(waker);
        if was_woken {
            self.queue.give_back();
        }
    }
}

impl<T> Queue<T> {
    pub(super) fn new(capacity: usize) -> Rc<Queue<T>> {
        Rc::new(Queue(RefCell::new(State {
            values: VecDeque::new(),
            free: capacity,
            kept: 0,
            waiting: WaiterList::new(),
            senders: 1,
            is_closed: false,
            is_abandoned: false,
            receiver: None,
        })))
    }

    /// Keeps a slot if one is free.
    pub(super) fn try_keep(&self) -> Result<(), TrySendError<()>> {
        let mut state = self.0.borrow_mut();
        if state.is_closed {
            return Err(TrySendError::Closed(()));
        }
        if !state.try_take(&mut WaitKey::default()) {
            return Err(TrySendError::Full(()));
        }
        state.kept += 1;
        Ok(())
    }

    /// Gives a kept slot on.
    pub(super) fn give_back(&self) {
        let mut state = self.0.borrow_mut();
        state.kept -= 1;
        let assigned = state.release();
        // It may have been the last that could still be filled.
        let receiver = if state.is_closed { state.receiver.take() } else { None };
        drop(state);
        wake(assigned);
        wake(receiver);
    }

    /// Fills a kept slot.
    pub(super) fn fill(&self, value: T) {
        let mut state = self.0.borrow_mut();
        state.kept -= 1;
        if state.is_abandoned {
            drop(state);
            drop(value);
            return;
        }
        let receiver = state.push(value);
        drop(state);
        wake(receiver);
    }

    /// Fills a slot of a queue that always has one.
    pub(super) fn push(&self, value: T) -> Result<(), SendError<T>> {
        let mut state = self.0.borrow_mut();
        if state.is_closed {
            return Err(SendError(value));
        }
        state.free -= 1;
        let receiver = state.push(value);
        drop(state);
        wake(receiver);
        Ok(())
    }

    /// The next value, if it is there.
    #[inline]
    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut state = self.0.borrow_mut();
        let Some(value) = state.values.pop_front() else {
            return Err(if state.is_over() { TryRecvError::Closed } else { TryRecvError::Empty });
        };
        let assigned = state.release();
        drop(state);
        wake(assigned);
        Ok(value)
    }

    /// The next value; without one, leaves the receiver's waker.
    #[inline]
    pub(super) fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        ready!(budget::poll_left(cx));
        match self.try_recv() {
            Err(TryRecvError::Empty) => self.wait(cx),
            received => {
                budget::spend();
                Poll::Ready(received.ok())
            }
        }
    }

    fn wait(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.0.borrow().receiver.as_ref().is_some_and(|old| old.will_wake(cx.waker())) {
            return current::pending(WaitsFor::Channel);
        }
        let waker = cx.waker().clone();
        let mut state = self.0.borrow_mut();
        let may_wait = state.values.is_empty() && !state.is_over();
        let unneeded = if may_wait { state.receiver.replace(waker) } else { Some(waker) };
        drop(state);
        if unneeded.is_none() {
            return current::pending(WaitsFor::Channel);
        }
        drop(unneeded);
        // Looked at again: cloning and dropping a waker are foreign, and may have sent.
        self.poll_recv(cx)
    }

    pub(super) fn close(&self) {
        let mut state = self.0.borrow_mut();
        state.is_closed = true;
        let mut waiting = mem::replace(&mut state.waiting, WaiterList::new());
        let woken = waiting.wake_all();
        // Who was chosen and has not looked yet will learn that the queue is closed.
        let assigned = waiting.len() - woken.len();
        state.kept -= assigned;
        state.free += assigned;
        drop(state);
        woken.wake();
    }

    /// The receiver is gone: drops what it did not take.
    pub(super) fn abandon(&self) {
        self.0.borrow_mut().is_abandoned = true;
        self.close();
        let mut state = self.0.borrow_mut();
        let receiver = state.receiver.take();
        let values = mem::take(&mut state.values);
        drop(state);
        drop(receiver);
        drop(values);
    }

    pub(super) fn add_sender(self: &Rc<Self>) -> Rc<Self> {
        self.0.borrow_mut().senders += 1;
        self.clone()
    }

    /// One of the senders was dropped.
    pub(super) fn drop_sender(&self) {
        let mut state = self.0.borrow_mut();
        state.senders -= 1;
        let receiver = if state.senders == 0 { state.receiver.take() } else { None };
        drop(state);
        wake(receiver);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.borrow().is_closed
    }

    pub(super) fn len(&self) -> usize {
        self.0.borrow().values.len()
    }

    pub(super) fn free(&self) -> usize {
        let state = self.0.borrow();
        if state.is_closed { 0 } else { state.free }
    }
}

impl<T> State<T> {
    /// Takes a free slot, or, if `key` has a place, the slot that was kept for it.
    fn try_take(&mut self, key: &mut WaitKey) -> bool {
        if key.is_registered() {
            let was_woken = self.waiting.take_woken(key);
            self.kept -= usize::from(was_woken);
            return was_woken;
        }
        if self.free == 0 {
            return false;
        }
        self.free -= 1;
        true
    }

    /// Fills a slot that is neither free nor kept any more. The receiver is to be woken.
    fn push(&mut self, value: T) -> Option<Waker> {
        self.values.push_back(value);
        self.receiver.take()
    }

    /// Gives a slot that is neither filled nor kept to who waited longest, who is to be woken, or
    /// frees it.
    fn release(&mut self) -> Option<Waker> {
        let assigned = self.waiting.wake_one();
        match assigned {
            Some(_) => self.kept += 1,
            None => self.free += 1,
        }
        assigned
    }

    /// Whether an empty queue stays empty.
    fn is_over(&self) -> bool {
        // A permit borrows its sender: without senders nobody can fill a slot.
        self.senders == 0 || (self.is_closed && self.kept == 0)
    }
}

impl<T> Drop for Reserve<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.key.is_registered() {
            self.leave();
        }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.borrow();
        f.debug_struct("Queue")
            .field("len", &state.values.len())
            .field("is_closed", &state.is_closed)
            .finish_non_exhaustive()
    }
}
