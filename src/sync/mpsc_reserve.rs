//! The wait of a future for slots of an [`mpsc`](super::mpsc) channel.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::mpsc_error::SendError;
use super::mpsc_queue::{Queue, State};
use crate::current::{self, WaitsFor, budget};
use crate::wait::{WaitKey, wake};

/// A future's wait for slots.
pub(super) struct Reserve<'a, T> {
    queue: &'a Queue<T>,
    key: WaitKey,
}

/// A future that sends a value. Not a [`leaf`](current::leaf), which would compare the result again
/// of a send that does not wait.
#[must_use = "a value is not sent unless the future is awaited"]
pub(super) struct SendValue<'a, T> {
    reserve: Reserve<'a, T>,
    /// `None` once it was sent or returned.
    value: Option<T>,
}

impl<'a, T> Reserve<'a, T> {
    pub(super) fn new(queue: &'a Queue<T>) -> Reserve<'a, T> {
        Reserve { queue, key: WaitKey::default() }
    }

    /// Reserves slots: the same number in each call.
    #[track_caller]
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        slots: usize,
    ) -> Poll<Result<(), SendError<()>>> {
        self.poll_slots(cx, slots, |state| state.slots.reserved += slots)
    }

    /// Fills a slot with `value`. Takes the value out only when this completes.
    #[inline]
    #[track_caller]
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        value: &mut Option<T>,
    ) -> Poll<Result<(), SendError<T>>> {
        let mut take = || value.take().expect("a send was polled after it completed");
        let Ok(receiver) = ready!(self.poll_slots(cx, 1, |state| state.push(take()))) else {
            return Poll::Ready(Err(SendError(take())));
        };
        wake(receiver);
        Poll::Ready(Ok(()))
    }

    /// Gets slots, and completes with the result of `take`.
    #[inline]
    #[track_caller]
    fn poll_slots<R>(
        &mut self,
        cx: &mut Context<'_>,
        slots: usize,
        take: impl FnOnce(&mut State<T>) -> R,
    ) -> Poll<Result<R, SendError<()>>> {
        ready!(budget::poll_left(cx));
        let Reserve { queue, key } = self;
        let mut waker = None;
        if !key.is_registered() {
            let mut state = queue.state.borrow_mut();
            if !state.is_closed && state.slots.try_take_free(slots) {
                let taken = take(&mut state);
                drop(state);
                budget::spend();
                return Poll::Ready(Ok(taken));
            }
            drop(state);
            // Cloning a waker is user code, which may receive or close: the state is checked again.
            waker = Some(cx.waker().clone());
        }
        loop {
            let mut state = queue.state.borrow_mut();
            if state.is_closed {
                // `close` has replaced the wait queue, and the waiter with it.
                *key = WaitKey::default();
                budget::spend();
                return Poll::Ready(Err(SendError(())));
            }
            if state.slots.try_take(key, slots) {
                let taken = take(&mut state);
                drop(state);
                budget::spend();
                return Poll::Ready(Ok(taken));
            }
            if let Some(waker) = waker {
                let old = state.slots.enqueue(key, slots, waker);
                drop(state);
                drop(old);
                return current::pending(WaitsFor::Channel);
            }
            if state.slots.waiting.will_wake(*key, cx.waker()) {
                return current::pending(WaitsFor::Channel);
            }
            drop(state);
            waker = Some(cx.waker().clone());
        }
    }

    #[cold]
    fn deregister(&mut self) {
        let mut state = self.queue.state.borrow_mut();
        if state.is_closed {
            return;
        }
        let (woken, waker) = state.slots.remove(&mut self.key);
        drop(state);
        woken.wake();
        drop(waker);
    }
}

impl<'a, T> SendValue<'a, T> {
    pub(super) fn new(queue: &'a Queue<T>, value: T) -> SendValue<'a, T> {
        SendValue { reserve: Reserve::new(queue), value: Some(value) }
    }
}

/// The value is moved out, and never pinned.
impl<T> Unpin for SendValue<'_, T> {}

impl<T> Future for SendValue<'_, T> {
    type Output = Result<(), SendError<T>>;

    #[inline]
    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let SendValue { reserve, value } = &mut *self;
        reserve.poll_send(cx, value)
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
