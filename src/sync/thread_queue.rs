//! What the halves of a queue between threads share: its values, its slots, who waits for them.
//!
//! Invariant: values, kept slots and free ones together are the capacity; a slot is free only while
//! nobody waits for one. Under the lock nothing foreign runs: no waker is cloned, woken or dropped,
//! no value dropped.
//!
//! Its steps are those of `mpsc_queue`. They are written twice since there it is a cell that is
//! borrowed, for nothing, and here a lock: one text for both would need a trait only for that.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use super::mpsc_error::{SendError, TryRecvError, TrySendError};
use crate::current::{self, WaitsFor, budget};
use crate::wait::{WaitKey, WaiterList, WakeList, wake};

/// A queue, and what its halves know of each other.
pub(super) struct ThreadQueue<T>(Mutex<State<T>>);

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
    queue: &'a ThreadQueue<T>,
    key: WaitKey,
}

impl<T> ThreadQueue<T> {
    /// With a capacity of `usize::MAX`: unbounded.
    pub(super) fn new(capacity: usize) -> Arc<ThreadQueue<T>> {
        Arc::new(ThreadQueue(Mutex::new(State {
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

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a slot if one is free.
    pub(super) fn try_keep(&self) -> Result<(), TrySendError<()>> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(TrySendError::Closed(()));
        }
        state.try_keep().then_some(()).ok_or(TrySendError::Full(()))
    }

    /// Fills a kept slot.
    pub(super) fn fill(&self, value: T) {
        let mut state = self.lock();
        state.kept -= 1;
        if state.is_abandoned {
            drop(state);
            return drop(value);
        }
        state.values.push_back(value);
        let receiver = state.receiver.take();
        drop(state);
        wake(receiver);
    }

    /// Gives a kept slot on.
    pub(super) fn give_back(&self) {
        let mut state = self.lock();
        state.kept -= 1;
        let assigned = state.release();
        // It may have been the last that could still be filled.
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

    /// The next value; the waker of a receiver that waits for it is kept.
    pub(super) fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<Result<T, TryRecvError>> {
        ready!(budget::poll_left(cx));
        let mut kept = None;
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
            let old = match kept.take() {
                _ if state.will_wake_receiver(cx.waker()) => None,
                Some(waker) => state.receiver.replace(waker),
                None => {
                    drop(state);
                    // Cloning is foreign, and may have sent: it is looked at again.
                    kept = Some(cx.waker().clone());
                    continue;
                }
            };
            drop(state);
            drop(old);
            return current::pending(WaitsFor::Channel);
        }
    }

    pub(super) fn close(&self) {
        self.end(false);
    }

    /// The receiver is gone: drops what it did not take.
    pub(super) fn abandon(&self) {
        self.end(true);
    }

    fn end(&self, is_abandoned: bool) {
        let mut state = self.lock();
        state.is_closed = true;
        state.is_abandoned = is_abandoned;
        let mut waiting = std::mem::replace(&mut state.waiting, WaiterList::new());
        let registered = waiting.len();
        let woken = waiting.wake_all();
        // Who was chosen and has not looked yet will learn that the queue is closed.
        let assigned = registered - woken.len();
        state.kept -= assigned;
        state.free += assigned;
        let dropped = is_abandoned.then(|| (state.values.split_off(0), state.receiver.take()));
        drop(state);
        woken.wake();
        drop(dropped);
    }

    pub(super) fn add_sender(self: &Arc<Self>) -> Arc<Self> {
        self.lock().senders += 1;
        self.clone()
    }

    /// One of the senders was dropped.
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
    fn try_keep(&mut self) -> bool {
        let is_free = self.free > 0;
        self.free -= usize::from(is_free);
        self.kept += usize::from(is_free);
        is_free
    }

    /// Gives a slot that is neither filled nor kept to who waited longest, or frees it.
    #[must_use = "wake it once the lock is released"]
    fn release(&mut self) -> Option<Waker> {
        let assigned = self.waiting.wake_one();
        match assigned {
            Some(_) => self.kept += 1,
            None => self.free += 1,
        }
        assigned
    }

    /// The next value, and who gets its slot.
    fn pop(&mut self) -> Result<(T, Option<Waker>), TryRecvError> {
        let value = self.values.pop_front().ok_or_else(|| self.why_empty())?;
        Ok((value, self.release()))
    }

    fn why_empty(&self) -> TryRecvError {
        // A permit borrows its sender: without senders nobody can fill a slot.
        if self.senders == 0 || (self.is_closed && self.kept == 0) {
            return TryRecvError::Closed;
        }
        TryRecvError::Empty
    }

    fn will_wake_receiver(&self, waker: &Waker) -> bool {
        self.receiver.as_ref().is_some_and(|kept| kept.will_wake(waker))
    }

    /// Whether a slot is kept for `key` now, or the queue is closed.
    fn look(&mut self, key: &mut WaitKey) -> Option<Result<(), SendError<()>>> {
        if self.is_closed {
            // Its place went with the list.
            *key = WaitKey::default();
            return Some(Err(SendError(())));
        }
        if !key.is_registered() {
            return self.try_keep().then_some(Ok(()));
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
        let mut kept = None;
        loop {
            let mut state = self.queue.lock();
            if let Some(result) = state.look(&mut self.key) {
                drop(state);
                budget::spend();
                return Poll::Ready(result);
            }
            let old = match kept.take() {
                _ if state.waiting.will_wake(self.key, cx.waker()) => None,
                Some(waker) => state.waiting.enqueue_waker(&mut self.key, waker),
                None => {
                    drop(state);
                    kept = Some(cx.waker().clone());
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
            self.queue.give_back();
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
