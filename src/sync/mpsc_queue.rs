//! The state that the halves of an [`mpsc`](super::mpsc) channel share: values, slots, wakers.
//!
//! Invariant: values, reserved slots and free slots together are the capacity. A slot is free only
//! while no sender waits for one.
//!
//! The slots are no [`RawSemaphore`](super::raw_semaphore). There is one receiver, so values need
//! no wait queue, and the whole state lies in one cell that a send or a receive borrows once. A
//! message takes a third fewer instructions than through a [queue](crate::queue), which is made of
//! permits.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use super::mpsc_error::{SendError, TryRecvError, TrySendError};
use crate::current::{self, WaitsFor, budget};
use crate::wait::{WaitKey, WaiterList, wake};

/// The capacity of a channel without a limit: more slots than can be filled.
pub(super) const UNBOUNDED: usize = usize::MAX;

/// The shared state of a channel.
pub(super) struct Queue<T>(RefCell<State<T>>);

struct State<T> {
    values: VecDeque<T>,
    /// Slots that are neither filled nor reserved.
    free: usize,
    /// Slots that are reserved by a permit, or assigned to a woken sender.
    reserved: usize,
    /// Senders that wait for a slot. Empty once the channel is closed.
    waiting: WaiterList,
    senders: usize,
    /// Only permits can still send.
    is_closed: bool,
    /// Permits cannot send either.
    is_receiver_dropped: bool,
    /// The receiver's waker, while the receiver waits for a value.
    receiver: Option<Waker>,
}

/// A future's wait for a slot.
pub(super) struct Reserve<'a, T> {
    queue: &'a Queue<T>,
    key: WaitKey,
}

impl<'a, T> Reserve<'a, T> {
    pub(super) fn new(queue: &'a Queue<T>) -> Reserve<'a, T> {
        Reserve { queue, key: WaitKey::default() }
    }

    /// Reserves a slot.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<()>>> {
        self.poll_slot(cx, |state| state.reserved += 1)
    }

    /// Fills a slot with `value`. Takes the value out only when this completes.
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

    /// Gets a slot, and completes with the result of `take`.
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
                // `close` has replaced the wait queue, and the waiter with it.
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
            // Cloning a waker is user code, which may receive or close: check the state again.
            waker = Some(cx.waker().clone());
        }
    }

    #[cold]
    fn deregister(&mut self) {
        let mut state = self.queue.0.borrow_mut();
        if state.is_closed {
            return;
        }
        let was_woken = state.waiting.is_woken(self.key);
        let waker = state.waiting.remove(&mut self.key);
        drop(state);
        drop(waker);
        if was_woken {
            self.queue.release_reserved();
        }
    }
}

impl<T> Queue<T> {
    pub(super) fn new(capacity: usize) -> Rc<Queue<T>> {
        Rc::new(Queue(RefCell::new(State {
            values: VecDeque::new(),
            free: capacity,
            reserved: 0,
            waiting: WaiterList::new(),
            senders: 1,
            is_closed: false,
            is_receiver_dropped: false,
            receiver: None,
        })))
    }

    /// Reserves a slot if one is free.
    pub(super) fn try_reserve(&self) -> Result<(), TrySendError<()>> {
        let mut state = self.0.borrow_mut();
        if state.is_closed {
            return Err(TrySendError::Closed(()));
        }
        if !state.try_take(&mut WaitKey::default()) {
            return Err(TrySendError::Full(()));
        }
        state.reserved += 1;
        Ok(())
    }

    /// Releases a reserved slot.
    pub(super) fn release_reserved(&self) {
        let mut state = self.0.borrow_mut();
        state.reserved -= 1;
        let assigned = state.release();
        // A closed channel ends with its last reserved slot.
        let receiver = if state.is_closed { state.receiver.take() } else { None };
        drop(state);
        wake(assigned);
        wake(receiver);
    }

    /// Fills a reserved slot.
    pub(super) fn fill(&self, value: T) {
        let mut state = self.0.borrow_mut();
        state.reserved -= 1;
        if state.is_receiver_dropped {
            drop(state);
            drop(value);
            return;
        }
        let receiver = state.push(value);
        drop(state);
        wake(receiver);
    }

    /// Fills a slot of an unbounded channel, which always has a free one.
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

    /// Returns the next value, if there is one.
    #[inline]
    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut state = self.0.borrow_mut();
        let Some(value) = state.values.pop_front() else {
            return Err(if state.is_ended() { TryRecvError::Closed } else { TryRecvError::Empty });
        };
        let assigned = state.release();
        drop(state);
        wake(assigned);
        Ok(value)
    }

    /// Returns the next value, or stores the receiver's waker.
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
        let may_wait = state.values.is_empty() && !state.is_ended();
        let unneeded = if may_wait { state.receiver.replace(waker) } else { Some(waker) };
        drop(state);
        if unneeded.is_none() {
            return current::pending(WaitsFor::Channel);
        }
        drop(unneeded);
        // Cloning and dropping a waker are user code, which may send: check the state again.
        self.poll_recv(cx)
    }

    pub(super) fn close(&self) {
        let mut state = self.0.borrow_mut();
        state.is_closed = true;
        let mut waiting = mem::replace(&mut state.waiting, WaiterList::new());
        let woken = waiting.wake_all();
        // A woken sender that has not been polled yet will find the channel closed, and never
        // releases its slot.
        let assigned = waiting.len() - woken.len();
        state.reserved -= assigned;
        state.free += assigned;
        drop(state);
        woken.wake();
    }

    /// Closes the channel for the dropped receiver, and drops the values that it did not receive.
    pub(super) fn drop_receiver(&self) {
        self.0.borrow_mut().is_receiver_dropped = true;
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

    /// Removes a sender. Wakes the receiver after the last one.
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
    /// Takes a free slot, or, if `key` is registered, the slot that was assigned to it.
    fn try_take(&mut self, key: &mut WaitKey) -> bool {
        if key.is_registered() {
            let was_woken = self.waiting.take_woken(key);
            self.reserved -= usize::from(was_woken);
            return was_woken;
        }
        if self.free == 0 {
            return false;
        }
        self.free -= 1;
        true
    }

    /// Adds a value whose slot is no longer free or reserved. Returns the receiver's waker, to be
    /// woken.
    fn push(&mut self, value: T) -> Option<Waker> {
        self.values.push_back(value);
        self.receiver.take()
    }

    /// Assigns a slot to the longest-waiting sender and returns its waker, to be woken, or frees
    /// the slot.
    fn release(&mut self) -> Option<Waker> {
        let assigned = self.waiting.wake_one();
        match assigned {
            Some(_) => self.reserved += 1,
            None => self.free += 1,
        }
        assigned
    }

    /// Whether the stream ends once the channel is empty.
    fn is_ended(&self) -> bool {
        // A permit borrows its sender: without senders there is no permit.
        self.senders == 0 || (self.is_closed && self.reserved == 0)
    }
}

impl<T> Drop for Reserve<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.key.is_registered() {
            self.deregister();
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
