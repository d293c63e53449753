//! The state that the halves of an [`mpsc`](super::mpsc) channel share: values, slots, wakers.
//!
//! Invariant: the values and the [slots](super::channel_slots) without a value together are the
//! capacity.
//!
//! The slots are no [`RawSemaphore`](super::raw_semaphore). There is one receiver, so values need
//! no wait queue, and the whole state lies in one cell that a send or a receive borrows once. A
//! message takes a third fewer instructions than through a [queue](crate::queue), which is made of
//! permits.

use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use super::channel_slots::Slots;
use super::mpsc_error::{SendError, TryRecvError, TrySendError};
use super::notify_list::NotifyList;
use crate::current::{self, WaitsFor, budget};
use crate::wait::{WaitKey, wake};

/// The capacity of a channel without a limit: more slots than can be filled.
pub(super) const UNBOUNDED: usize = usize::MAX;

/// The shared state of a channel. Weak senders are the weak references to it.
pub(super) struct Queue<T> {
    pub(super) state: RefCell<State<T>>,
    /// Notified when the channel is closed.
    closed: NotifyList,
}

pub(super) struct State<T> {
    values: VecDeque<T>,
    pub(super) slots: Slots,
    senders: usize,
    /// Only permits can still send.
    pub(super) is_closed: bool,
    /// Permits cannot send either.
    is_receiver_dropped: bool,
    /// The receiver's waker, while the receiver waits for a value.
    receiver: Option<Waker>,
}

impl<T> Queue<T> {
    pub(super) fn new(capacity: usize) -> Rc<Queue<T>> {
        let state = RefCell::new(State {
            values: VecDeque::new(),
            slots: Slots::new(capacity),
            senders: 1,
            is_closed: false,
            is_receiver_dropped: false,
            receiver: None,
        });
        Rc::new(Queue { state, closed: NotifyList::new(false) })
    }

    /// Reserves slots if so many are free.
    pub(super) fn try_reserve(&self, slots: usize) -> Result<(), TrySendError<()>> {
        let mut state = self.state.borrow_mut();
        if state.is_closed {
            return Err(TrySendError::Closed(()));
        }
        if !state.slots.try_take(&mut WaitKey::default(), slots) {
            return Err(TrySendError::Full(()));
        }
        state.slots.reserved += slots;
        Ok(())
    }

    /// Releases reserved slots.
    pub(super) fn release_reserved(&self, slots: usize) {
        let mut state = self.state.borrow_mut();
        state.slots.reserved -= slots;
        let mut woken = state.slots.release_many(slots);
        // A closed channel ends with its last reserved slot.
        if state.is_ended() {
            woken.extend(state.receiver.take());
        }
        drop(state);
        woken.wake();
    }

    /// Fills a reserved slot.
    pub(super) fn fill(&self, value: T) {
        let mut state = self.state.borrow_mut();
        state.slots.reserved -= 1;
        if state.is_receiver_dropped {
            state.slots.free += 1;
            drop(state);
            drop(value);
            return;
        }
        let receiver = state.push(value);
        drop(state);
        wake(receiver);
    }

    /// Fills a slot of an unbounded channel, which always has a free one.
    #[inline]
    pub(super) fn push(&self, value: T) -> Result<(), SendError<T>> {
        let mut state = self.state.borrow_mut();
        if state.is_closed {
            return Err(SendError(value));
        }
        state.slots.free -= 1;
        let receiver = state.push(value);
        drop(state);
        wake(receiver);
        Ok(())
    }

    /// Fills a free slot, or takes the slot of the oldest value, which is returned.
    pub(super) fn force_push(&self, value: T) -> Result<Option<T>, TrySendError<T>> {
        let mut state = self.state.borrow_mut();
        if state.is_closed {
            return Err(TrySendError::Closed(value));
        }
        let is_free = state.slots.try_take(&mut WaitKey::default(), 1);
        let oldest = if is_free { None } else { state.values.pop_front() };
        if !is_free && oldest.is_none() {
            return Err(TrySendError::Full(value));
        }
        let receiver = state.push(value);
        drop(state);
        wake(receiver);
        Ok(oldest)
    }

    /// Returns the next value, if there is one.
    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut state = self.state.borrow_mut();
        let Some(value) = state.values.pop_front() else {
            return Err(if state.is_ended() { TryRecvError::Closed } else { TryRecvError::Empty });
        };
        self.release_slot(state);
        Ok(value)
    }

    /// Returns the next value, or stores the receiver's waker.
    #[inline]
    #[track_caller]
    pub(super) fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if let Some(unit) = budget::next_unit() {
            let mut state = self.state.borrow_mut();
            if let Some(value) = state.values.pop_front() {
                unit.spend();
                self.release_slot(state);
                return Poll::Ready(Some(value));
            }
        }
        self.wait_and_recv(cx)
    }

    /// Out of line, so that a receive that finds a value and no waiting sender saves no registers.
    #[inline(never)]
    #[track_caller]
    fn wait_and_recv(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        ready!(budget::poll_left(cx));
        ready!(self.wait(cx));
        budget::spend();
        Poll::Ready(self.try_recv().ok())
    }

    /// Releases the slot of a received value.
    #[inline]
    fn release_slot(&self, mut state: RefMut<'_, State<T>>) {
        if !state.slots.waiting.has_waiting() {
            state.slots.free += 1;
            return;
        }
        drop(state);
        self.assign_slot();
    }

    #[inline(never)]
    fn assign_slot(&self) {
        let assigned = self.state.borrow_mut().slots.release();
        wake(assigned);
    }

    /// Moves up to `limit` values into `buffer`, or stores the receiver's waker.
    pub(super) fn poll_recv_many(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<T>,
        limit: usize,
    ) -> Poll<usize> {
        ready!(budget::poll_left(cx));
        if limit > 0 && self.state.borrow().is_blocked() {
            ready!(self.wait(cx));
        }
        let mut state = self.state.borrow_mut();
        let received = state.values.len().min(limit);
        buffer.extend(state.values.drain(..received));
        let woken = state.slots.release_many(received);
        drop(state);
        budget::spend();
        woken.wake();
        Poll::Ready(received)
    }

    /// Stores the receiver's waker while the channel is empty. Returns `Ready` if it is not, or is
    /// at its end.
    #[track_caller]
    fn wait(&self, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.state.borrow_mut();
        if state.receiver.as_ref().is_some_and(|old| old.will_wake(cx.waker())) {
            return state.wait();
        }
        drop(state);
        let waker = cx.waker().clone();
        // Cloning is user code, which may send: the state is checked after it.
        let mut state = self.state.borrow_mut();
        let waits = state.wait();
        let unneeded = if waits.is_pending() { state.receiver.replace(waker) } else { Some(waker) };
        drop(state);
        drop(unneeded);
        waits
    }

    pub(super) fn close(&self) {
        let mut state = self.state.borrow_mut();
        state.is_closed = true;
        let woken = state.slots.close();
        drop(state);
        // Both wake all, also after the panic of a waker: `woken` does so in its drop.
        self.closed.notify_all();
        woken.wake();
    }

    /// Waits until the channel is closed.
    pub(super) async fn closed(&self) {
        let wait = self.closed.wait();
        match self.is_closed() {
            true => budget::unit().await,
            false => wait.await,
        }
    }

    /// Closes the channel for the dropped receiver, and drops the values that it did not receive.
    pub(super) fn drop_receiver(&self) {
        self.state.borrow_mut().is_receiver_dropped = true;
        self.close();
        let mut state = self.state.borrow_mut();
        let receiver = state.receiver.take();
        let values = mem::take(&mut state.values);
        state.slots.free += values.len();
        drop(state);
        drop(receiver);
        drop(values);
    }

    pub(super) fn add_sender(self: &Rc<Self>) -> Rc<Self> {
        self.state.borrow_mut().senders += 1;
        self.clone()
    }

    /// Adds a sender, unless all were dropped.
    pub(super) fn upgrade(self: Rc<Self>) -> Option<Rc<Self>> {
        (self.senders() > 0).then(|| self.add_sender())
    }

    /// Removes a sender. Wakes the receiver after the last one.
    pub(super) fn drop_sender(&self) {
        let mut state = self.state.borrow_mut();
        state.senders -= 1;
        let receiver = if state.senders == 0 { state.receiver.take() } else { None };
        drop(state);
        wake(receiver);
    }

    pub(super) fn senders(&self) -> usize {
        self.state.borrow().senders
    }

    pub(super) fn senders_waiting(&self) -> usize {
        self.state.borrow().slots.waiting.waiting()
    }

    pub(super) fn receivers_waiting(&self) -> usize {
        usize::from(self.state.borrow().receiver.is_some())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.borrow().is_closed
    }

    pub(super) fn len(&self) -> usize {
        self.state.borrow().values.len()
    }

    pub(super) fn free(&self) -> usize {
        let state = self.state.borrow();
        if state.is_closed { 0 } else { state.slots.free }
    }

    pub(super) fn max_capacity(&self) -> usize {
        let state = self.state.borrow();
        state.values.len() + state.slots.without_value()
    }
}

impl<T> State<T> {
    /// Adds a value whose slot is no longer free or reserved. Returns the receiver's waker, to be
    /// woken.
    #[inline]
    pub(super) fn push(&mut self, value: T) -> Option<Waker> {
        self.values.push_back(value);
        // Usually the receiver does not wait: a test is cheaper than a store.
        if self.receiver.is_some() { self.receiver.take() } else { None }
    }

    /// Returns `Pending` while a receive must wait.
    #[track_caller]
    fn wait(&self) -> Poll<()> {
        if self.is_blocked() { current::pending(WaitsFor::Channel) } else { Poll::Ready(()) }
    }

    /// Whether a receive must wait.
    fn is_blocked(&self) -> bool {
        self.values.is_empty() && !self.is_ended()
    }

    /// Whether the stream ends once the channel is empty.
    fn is_ended(&self) -> bool {
        // A permit borrows or owns its sender: without senders there is no permit.
        self.senders == 0 || (self.is_closed && self.slots.reserved == 0)
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.borrow();
        f.debug_struct("Queue")
            .field("len", &state.values.len())
            .field("is_closed", &state.is_closed)
            .finish_non_exhaustive()
    }
}
