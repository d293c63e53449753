//! The state that the halves of a [`thread_channel`](super::thread_channel) share.
//!
//! Invariant: the values and the [slots](super::channel_slots) without a value together are the
//! capacity. No user code runs under the lock: no waker is cloned, woken or dropped, and no value
//! is dropped.
//!
//! The steps are those of `mpsc_queue`. They are written twice: that file borrows a cell at no
//! cost, and this file takes a lock. One text for both would need a trait only for that.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::iter;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use super::channel_slots::Slots;
use super::mpsc_error::{SendError, TryRecvError, TrySendError};
use crate::current::{self, WaitsFor, budget};
use crate::wait::{WaitKey, WaiterList, wake};

/// The shared state of a channel.
pub(super) struct ThreadQueue<T>(Mutex<State<T>>);

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
    /// Futures that wait until the channel is closed. Empty after that.
    closed: WaiterList,
}

/// A future's wait for the close of the channel.
struct Closed<'a, T> {
    queue: &'a ThreadQueue<T>,
    key: WaitKey,
}

impl<T> ThreadQueue<T> {
    /// A capacity of `usize::MAX` is unbounded.
    pub(super) fn new(capacity: usize) -> Arc<ThreadQueue<T>> {
        Arc::new(ThreadQueue(Mutex::new(State {
            values: VecDeque::new(),
            slots: Slots::new(capacity),
            senders: 1,
            is_closed: false,
            is_receiver_dropped: false,
            receiver: None,
            closed: WaiterList::new(),
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves slots if so many are free.
    pub(super) fn try_reserve(&self, slots: usize) -> Result<(), TrySendError<()>> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(TrySendError::Closed(()));
        }
        if !state.slots.try_take(&mut WaitKey::default(), slots) {
            return Err(TrySendError::Full(()));
        }
        state.slots.reserved += slots;
        Ok(())
    }

    /// Fills a reserved slot.
    pub(super) fn fill(&self, value: T) {
        let mut state = self.lock();
        state.slots.reserved -= 1;
        if state.is_receiver_dropped {
            state.slots.free += 1;
            drop(state);
            return drop(value);
        }
        state.values.push_back(value);
        let receiver = state.receiver.take();
        drop(state);
        wake(receiver);
    }

    /// Fills a slot of an unbounded channel, which always has a free one.
    pub(super) fn push(&self, value: T) -> Result<(), SendError<T>> {
        match self.try_reserve(1) {
            Ok(()) => {
                self.fill(value);
                Ok(())
            }
            Err(_) => Err(SendError(value)),
        }
    }

    /// Fills a free slot, or takes the slot of the oldest value, which is returned.
    pub(super) fn force_push(&self, value: T) -> Result<Option<T>, TrySendError<T>> {
        let mut state = self.lock();
        if state.is_closed {
            drop(state);
            return Err(TrySendError::Closed(value));
        }
        let is_free = state.slots.try_take(&mut WaitKey::default(), 1);
        let oldest = if is_free { None } else { state.values.pop_front() };
        if !is_free && oldest.is_none() {
            drop(state);
            return Err(TrySendError::Full(value));
        }
        state.values.push_back(value);
        let receiver = state.receiver.take();
        drop(state);
        wake(receiver);
        Ok(oldest)
    }

    /// Releases reserved slots.
    pub(super) fn release_reserved(&self, slots: usize) {
        let mut state = self.lock();
        state.slots.reserved -= slots;
        let mut woken = state.slots.release_many(slots);
        // A closed channel ends with its last reserved slot.
        let is_ended = state.is_ended();
        woken.extend(state.receiver.take_if(|_| is_ended));
        drop(state);
        woken.wake();
    }

    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        let popped = self.lock().pop();
        popped.map(|(value, assigned)| {
            wake(assigned);
            value
        })
    }

    /// Returns the next value, or stores the receiver's waker.
    pub(super) fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let popped = ready!(self.poll_with(cx, |state| match state.pop() {
            Err(TryRecvError::Empty) => None,
            popped => Some(popped.ok()),
        }));
        Poll::Ready(popped.map(|(value, assigned)| {
            wake(assigned);
            value
        }))
    }

    /// Moves up to `limit` values into `buffer`, or stores the receiver's waker.
    pub(super) fn poll_recv_many(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<T>,
        limit: usize,
    ) -> Poll<usize> {
        let (received, woken) = ready!(self.poll_with(cx, |state| {
            let received = state.values.len().min(limit);
            if received == 0 && limit > 0 && !state.is_ended() {
                return None;
            }
            buffer.extend(state.values.drain(..received));
            Some((received, state.slots.release_many(received)))
        }));
        woken.wake();
        Poll::Ready(received)
    }

    /// Completes with the result of `take`, or stores the receiver's waker if that is `None`.
    fn poll_with<R>(
        &self,
        cx: &mut Context<'_>,
        mut take: impl FnMut(&mut State<T>) -> Option<R>,
    ) -> Poll<R> {
        ready!(budget::poll_left(cx));
        let mut cloned = None;
        loop {
            let mut state = self.lock();
            if let Some(taken) = take(&mut state) {
                drop(state);
                budget::spend();
                return Poll::Ready(taken);
            }
            let old = match cloned.take() {
                _ if state.will_wake_receiver(cx.waker()) => None,
                Some(waker) => state.receiver.replace(waker),
                None => {
                    drop(state);
                    // Cloning a waker is user code, which may send: check the state again.
                    cloned = Some(cx.waker().clone());
                    continue;
                }
            };
            drop(state);
            drop(old);
            return current::pending(WaitsFor::Channel);
        }
    }

    pub(super) fn close(&self) {
        self.close_inner(false);
    }

    /// Closes the channel for the dropped receiver, and drops the values that it did not receive.
    pub(super) fn drop_receiver(&self) {
        self.close_inner(true);
    }

    fn close_inner(&self, is_receiver_dropped: bool) {
        let mut state = self.lock();
        state.is_closed = true;
        state.is_receiver_dropped = is_receiver_dropped;
        let mut woken = state.slots.close();
        let mut closed = mem::replace(&mut state.closed, WaiterList::new());
        woken.extend(iter::from_fn(|| closed.wake_one()));
        let dropped =
            is_receiver_dropped.then(|| (mem::take(&mut state.values), state.receiver.take()));
        state.slots.free += dropped.as_ref().map_or(0, |(values, _)| values.len());
        drop(state);
        woken.wake();
        drop(dropped);
    }

    /// Waits until the channel is closed.
    pub(super) async fn closed(&self) {
        let mut closed = Closed { queue: self, key: WaitKey::default() };
        poll_fn(|cx| closed.poll(cx)).await;
        budget::unit().await;
    }

    pub(super) fn add_sender(self: &Arc<Self>) -> Arc<Self> {
        self.lock().senders += 1;
        self.clone()
    }

    /// Adds a sender, unless all were dropped.
    pub(super) fn upgrade(self: Arc<Self>) -> Option<Arc<Self>> {
        let mut state = self.lock();
        if state.senders == 0 {
            return None;
        }
        state.senders += 1;
        drop(state);
        Some(self)
    }

    /// Removes a sender. Wakes the receiver after the last one.
    pub(super) fn drop_sender(&self) {
        let mut state = self.lock();
        state.senders -= 1;
        let is_last = state.senders == 0;
        let receiver = state.receiver.take_if(|_| is_last);
        drop(state);
        wake(receiver);
    }

    pub(super) fn senders(&self) -> usize {
        self.lock().senders
    }

    pub(super) fn senders_waiting(&self) -> usize {
        self.lock().slots.waiting.waiting()
    }

    pub(super) fn receivers_waiting(&self) -> usize {
        usize::from(self.lock().receiver.is_some())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    pub(super) fn len(&self) -> usize {
        self.lock().values.len()
    }

    pub(super) fn free(&self) -> usize {
        let state = self.lock();
        if state.is_closed { 0 } else { state.slots.free }
    }

    pub(super) fn max_capacity(&self) -> usize {
        let state = self.lock();
        state.values.len() + state.slots.without_value()
    }
}

impl<T> State<T> {
    /// Returns the next value, and the waker of the sender that gets its slot.
    fn pop(&mut self) -> Result<(T, Option<Waker>), TryRecvError> {
        match self.values.pop_front() {
            Some(value) => Ok((value, self.slots.release())),
            None if self.is_ended() => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    /// Whether the stream ends once the channel is empty.
    fn is_ended(&self) -> bool {
        // A permit borrows or owns its sender: without senders there is no permit.
        self.senders == 0 || (self.is_closed && self.slots.reserved == 0)
    }

    fn will_wake_receiver(&self, waker: &Waker) -> bool {
        self.receiver.as_ref().is_some_and(|old| old.will_wake(waker))
    }
}

impl<T> Closed<'_, T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut cloned = None;
        loop {
            let mut state = self.queue.lock();
            if state.is_closed {
                // `close` has replaced the list, and the waiter with it.
                self.key = WaitKey::default();
                return Poll::Ready(());
            }
            let old = match cloned.take() {
                _ if state.closed.will_wake(self.key, cx.waker()) => None,
                Some(waker) => state.closed.enqueue_waker(&mut self.key, waker),
                None => {
                    drop(state);
                    cloned = Some(cx.waker().clone());
                    continue;
                }
            };
            drop(state);
            drop(old);
            return current::pending(WaitsFor::Channel);
        }
    }
}

impl<T> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        if !self.key.is_registered() {
            return;
        }
        let mut state = self.queue.lock();
        let waker = if state.is_closed { None } else { state.closed.remove(&mut self.key) };
        drop(state);
        drop(waker);
    }
}

impl<T> fmt::Debug for ThreadQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, is_closed) = (self.len(), self.is_closed());
        f.debug_struct("Queue")
            .field("len", &len)
            .field("is_closed", &is_closed)
            .finish_non_exhaustive()
    }
}
