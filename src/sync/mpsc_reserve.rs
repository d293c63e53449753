//! The wait of a future for slots of an [`mpsc`](super::mpsc) channel.

use std::cell::RefMut;
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
        let reserve = |state: &mut State<T>| state.slots.reserved += slots;
        let Some(mut state) = self.try_take(slots) else { return self.wait(cx, slots, reserve) };
        reserve(&mut state);
        Poll::Ready(Ok(()))
    }

    /// Fills a slot with `value`. Takes the value out only when this completes.
    #[inline]
    #[track_caller]
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        value: &mut Option<T>,
    ) -> Poll<Result<(), SendError<T>>> {
        let Some(mut state) = self.try_take(1) else { return self.wait_and_send(cx, value) };
        let receiver = state.push(take(value));
        drop(state);
        wake(receiver);
        Poll::Ready(Ok(()))
    }

    /// Out of line, so that a send that finds a free slot saves few registers.
    #[inline(never)]
    #[track_caller]
    fn wait_and_send(
        &mut self,
        cx: &mut Context<'_>,
        value: &mut Option<T>,
    ) -> Poll<Result<(), SendError<T>>> {
        let sent = ready!(self.wait(cx, 1, |state| state.push(take(value))));
        Poll::Ready(sent.map(wake).map_err(|SendError(())| SendError(take(value))))
    }

    /// Takes slots, if this future need not wait for them. Returns the state, for the caller to use
    /// the slots.
    #[inline]
    fn try_take(&mut self, slots: usize) -> Option<RefMut<'a, State<T>>> {
        let unit = budget::next_unit()?;
        let mut state = self.queue.state.borrow_mut();
        if state.is_closed || !state.slots.try_take(&mut self.key, slots) {
            return None;
        }
        unit.spend();
        Some(state)
    }

    /// Waits for slots, and completes with the result of `fill`.
    #[inline]
    #[track_caller]
    fn wait<R>(
        &mut self,
        cx: &mut Context<'_>,
        slots: usize,
        fill: impl FnOnce(&mut State<T>) -> R,
    ) -> Poll<Result<R, SendError<()>>> {
        ready!(budget::poll_left(cx));
        let Reserve { queue, key } = self;
        // Cloning a waker is user code, which may receive or close: the state is checked after it.
        let mut waker = (!key.is_registered()).then(|| cx.waker().clone());
        loop {
            let mut state = queue.state.borrow_mut();
            if state.is_closed {
                // `close` has replaced the wait queue, and the waiter with it.
                *key = WaitKey::default();
                budget::spend();
                return Poll::Ready(Err(SendError(())));
            }
            if state.slots.try_take(key, slots) {
                let filled = fill(&mut state);
                drop(state);
                budget::spend();
                return Poll::Ready(Ok(filled));
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

fn take<T>(value: &mut Option<T>) -> T {
    value.take().expect("a send was polled after it completed")
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
