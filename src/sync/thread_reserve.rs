//! The wait of a future for slots of a [`thread_channel`](super::thread_channel).

use std::task::{Context, Poll, ready};

use super::mpsc_error::SendError;
use super::thread_queue::ThreadQueue;
use crate::current::{self, WaitsFor, budget};
use crate::wait::WaitKey;

/// A future's wait for slots.
pub(super) struct Reserve<'a, T> {
    queue: &'a ThreadQueue<T>,
    key: WaitKey,
}

impl<'a, T> Reserve<'a, T> {
    pub(super) fn new(queue: &'a ThreadQueue<T>) -> Reserve<'a, T> {
        Reserve { queue, key: WaitKey::default() }
    }

    /// Reserves slots: the same number in each call.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        slots: usize,
    ) -> Poll<Result<(), SendError<()>>> {
        ready!(budget::poll_left(cx));
        let mut cloned = None;
        loop {
            let mut state = self.queue.lock();
            if state.is_closed {
                // `close` has replaced the wait queue, and the waiter with it.
                self.key = WaitKey::default();
                drop(state);
                budget::spend();
                return Poll::Ready(Err(SendError(())));
            }
            if state.slots.try_take(&mut self.key, slots) {
                state.slots.reserved += slots;
                drop(state);
                budget::spend();
                return Poll::Ready(Ok(()));
            }
            let old = match cloned.take() {
                _ if state.slots.waiting.will_wake(self.key, cx.waker()) => None,
                Some(waker) => state.slots.enqueue(&mut self.key, slots, waker),
                None => {
                    drop(state);
                    // Cloning a waker is user code, which may receive or close: check again.
                    cloned = Some(cx.waker().clone());
                    continue;
                }
            };
            drop(state);
            drop(old);
            return current::pending(WaitsFor::Channel);
        }
    }

    /// Fills a slot with `value`. Takes the value out only when this completes.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        value: &mut Option<T>,
    ) -> Poll<Result<(), SendError<T>>> {
        let reserved = ready!(self.poll(cx, 1));
        let value = value.take().expect("a send was polled after it completed");
        Poll::Ready(match reserved {
            Ok(()) => {
                self.queue.fill(value);
                Ok(())
            }
            Err(SendError(())) => Err(SendError(value)),
        })
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
        let (woken, waker) = state.slots.remove(&mut self.key);
        drop(state);
        woken.wake();
        drop(waker);
    }
}
