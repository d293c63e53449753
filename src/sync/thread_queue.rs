//! The state that the halves of a [`thread_channel`](super::thread_channel) share.
//!
//! Invariant: values, reserved slots and free slots together are the capacity. A slot is free only
//! while no sender waits for one. No user code runs under the lock: no waker is cloned, woken or
//! dropped, and no value is dropped.
//!
//! The steps are those of `mpsc_queue`. They are written twice: that file borrows a cell at no
//! cost, and this file takes a lock. One text for both would need a trait only for that.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use super::mpsc_error::{SendError, TryRecvError, TrySendError};
use crate::current::{self, WaitsFor, budget};
use crate::wait::{WaitKey, WaiterList, WakeList, wake};

/// The shared state of a channel.
pub(super) struct ThreadQueue<T>(Mutex<State<T>>);

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
    queue: &'a ThreadQueue<T>,
    key: WaitKey,
}

impl<T> ThreadQueue<T> {
    /// A capacity of `usize::MAX` is unbounded.
    pub(super) fn new(capacity: usize) -> Arc<ThreadQueue<T>> {
        Arc::new(ThreadQueue(Mutex::new(State {
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

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves a slot if one is free.
    pub(super) fn try_reserve(&self) -> Result<(), TrySendError<()>> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(TrySendError::Closed(()));
        }
        state.try_reserve().then_some(()).ok_or(TrySendError::Full(()))
    }

    /// Fills a reserved slot.
    pub(super) fn fill(&self, value: T) {
        let mut state = self.lock();
        state.reserved -= 1;
        if state.is_receiver_dropped {
            drop(state);
            return drop(value);
        }
        state.values.push_back(value);
        let receiver = state.receiver.take();
        drop(state);
        wake(receiver);
    }

    /// Releases a reserved slot.
    pub(super) fn release_reserved(&self) {
        let mut state = self.lock();
        state.reserved -= 1;
        let assigned = state.release();
        // A closed channel ends with its last reserved slot.
        let is_closed = state.is_closed;
        let receiver = state.receiver.take_if(|_| is_closed);
        drop(state);
        let mut woken = WakeList::default();
        woken.extend(assigned.into_iter().chain(receiver));
        woken.wake();
    }

    pub(super) fn pop(&self) -> Result<T, TryRecvError> {
        let popped = self.lock().pop();
        popped.map(|(value, assigned)| {
            wake(assigned);
            value
        })
    }

    /// Returns the next value, or stores the receiver's waker.
    pub(super) fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<Result<T, TryRecvError>> {
        ready!(budget::poll_left(cx));
        let mut cloned = None;
        loop {
            let mut state = self.lock();
            let popped = state.pop();
            if !matches!(popped, Err(TryRecvError::Empty)) {
                drop(state);
                budget::spend();
                return Poll::Ready(popped.map(|(value, assigned)| {
                    wake(assigned);
                    value
                }));
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
        let mut waiting = std::mem::replace(&mut state.waiting, WaiterList::new());
        let registered = waiting.len();
        let woken = waiting.wake_all();
        // A woken sender that has not been polled yet will find the channel closed, and never
        // releases its slot.
        let assigned = registered - woken.len();
        state.reserved -= assigned;
        state.free += assigned;
        let dropped =
            is_receiver_dropped.then(|| (state.values.split_off(0), state.receiver.take()));
        drop(state);
        woken.wake();
        drop(dropped);
    }

    pub(super) fn add_sender(self: &Arc<Self>) -> Arc<Self> {
        self.lock().senders += 1;
        self.clone()
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

    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    pub(super) fn len(&self) -> usize {
        self.lock().values.len()
    }

    pub(super) fn free(&self) -> usize {
        let state = self.lock();
        if state.is_closed { 0 } else { state.free }
    }
}

impl<T> State<T> {
    fn try_reserve(&mut self) -> bool {
        let is_free = self.free > 0;
        self.free -= usize::from(is_free);
        self.reserved += usize::from(is_free);
        is_free
    }

    /// Assigns a slot to the longest-waiting sender and returns its waker, or frees the slot.
    #[must_use = "wake it once the lock is released"]
    fn release(&mut self) -> Option<Waker> {
        let assigned = self.waiting.wake_one();
        match assigned {
            Some(_) => self.reserved += 1,
            None => self.free += 1,
        }
        assigned
    }

    /// Returns the next value, and the waker of the sender that gets its slot.
    fn pop(&mut self) -> Result<(T, Option<Waker>), TryRecvError> {
        let value = self.values.pop_front().ok_or_else(|| self.empty_error())?;
        Ok((value, self.release()))
    }

    fn empty_error(&self) -> TryRecvError {
        // A permit borrows its sender: without senders there is no permit.
        if self.senders == 0 || (self.is_closed && self.reserved == 0) {
            return TryRecvError::Closed;
        }
        TryRecvError::Empty
    }

    fn will_wake_receiver(&self, waker: &Waker) -> bool {
        self.receiver.as_ref().is_some_and(|old| old.will_wake(waker))
    }

    /// Takes a free slot, or the slot that was assigned to `key`. Returns an error if the channel
    /// is closed, and `None` if the sender has to wait.
    fn poll_slot(&mut self, key: &mut WaitKey) -> Option<Result<(), SendError<()>>> {
        if self.is_closed {
            // `close` has replaced the wait queue, and the waiter with it.
            *key = WaitKey::default();
            return Some(Err(SendError(())));
        }
        if !key.is_registered() {
            return self.try_reserve().then_some(Ok(()));
        }
        let is_woken = self.waiting.is_woken(*key);
        if is_woken {
            self.waiting.remove(key);
        }
        is_woken.then_some(Ok(()))
    }
}

impl<'a, T> Reserve<'a, T> {
    pub(super) fn new(queue: &'a ThreadQueue<T>) -> Reserve<'a, T> {
        Reserve { queue, key: WaitKey::default() }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<()>>> {
        ready!(budget::poll_left(cx));
        let mut cloned = None;
        loop {
            let mut state = self.queue.lock();
            if let Some(result) = state.poll_slot(&mut self.key) {
                drop(state);
                budget::spend();
                return Poll::Ready(result);
            }
            let old = match cloned.take() {
                _ if state.waiting.will_wake(self.key, cx.waker()) => None,
                Some(waker) => state.waiting.enqueue_waker(&mut self.key, waker),
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

impl<T> Drop for Reserve<'_, T> {
    fn drop(&mut self) {
        if !self.key.is_registered() {
            return;
        }
        let mut state = self.queue.lock();
        if state.is_closed {
            return;
        }
        let was_woken = state.waiting.is_woken(self.key);
        let waker = state.waiting.remove(&mut self.key);
        drop(state);
        if was_woken {
            self.queue.release_reserved();
        }
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
