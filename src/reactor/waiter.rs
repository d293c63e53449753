//! The futures that wait for a source, and the waiters of the `poll_` methods.
//!
//! Pure, as `source`. Invariant: a future that is dropped leaves no waker behind.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::source::{Direction, Done, Side, Source};
use super::waiters::WaiterKey;
use crate::current::{budget, leaf};

/// A future's registration as a waiter of one direction, made by [`Source::waiter`]. It is
/// registered at its first wait and removed when it is dropped.
pub(crate) struct Waiter<'a> {
    side: &'a Side,
    key: WaiterKey,
}

/// A future that runs an operation on a source until it completes; made by [`Source::io`].
#[must_use = "an operation does nothing unless it is awaited"]
pub(crate) struct Io<'a, F> {
    waiter: Waiter<'a>,
    op: F,
}

impl Source {
    /// Creates a waiter that is not registered yet.
    pub(crate) fn waiter(&self, direction: Direction) -> Waiter<'_> {
        Waiter { side: self.side(direction), key: WaiterKey::default() }
    }

    /// Runs `op` until it completes.
    ///
    /// # Cancel safety
    ///
    /// Either `op` has completed and its result is returned, or it has had no effect.
    pub(crate) fn io<F>(&self, direction: Direction, op: F) -> Io<'_, F> {
        Io { waiter: self.waiter(direction), op }
    }

    /// Completes once the direction is believed to be ready.
    pub(crate) fn ready(&self, direction: Direction) -> impl Future<Output = io::Result<()>> {
        let mut waiter = self.waiter(direction);
        leaf(move |cx| waiter.poll_ready(cx))
    }

    /// Completes once `is_done` returns true, which is called at every wake. For sources that have
    /// no object in the selector.
    pub(crate) fn until(
        &self,
        direction: Direction,
        is_done: impl Fn() -> bool,
    ) -> impl Future<Output = io::Result<()>> {
        let mut waiter = self.waiter(direction);
        leaf(move |cx| {
            if is_done() {
                ready!(budget::poll_unit(cx));
                return Poll::Ready(Ok(()));
            }
            waiter.side.poll_wait(cx, &mut waiter.key)
        })
    }
}

impl Waiter<'_> {
    /// See [`Source::poll_io`].
    #[inline(always)]
    #[track_caller]
    pub(crate) fn poll_io<T>(
        &mut self,
        cx: &mut Context<'_>,
        op: impl FnMut() -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        self.side.poll_io(cx, &mut self.key, op)
    }

    /// See [`Source::poll_ready`].
    #[track_caller]
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.side.poll_ready(cx, &mut self.key)
    }

    /// Waits for the next event of the direction.
    #[cfg(unix)]
    #[track_caller]
    pub(crate) fn poll_wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.side.poll_wait(cx, &mut self.key)
    }
}

impl<T, F: FnMut() -> io::Result<Done<T>> + Unpin> Future for Io<'_, F> {
    type Output = io::Result<T>;

    #[inline(always)]
    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Io { waiter, op } = &mut *self;
        waiter.poll_io(cx, op)
    }
}

impl Drop for Waiter<'_> {
    #[inline]
    fn drop(&mut self) {
        self.side.remove(self.key);
    }
}

/// The keys of the waiters of the `poll_` methods, one for each direction.
#[derive(Default)]
pub(super) struct PollWaiters {
    read: Cell<WaiterKey>,
    write: Cell<WaiterKey>,
}

impl PollWaiters {
    /// Calls `poll` with the waiter of one direction, and removes the waiter on completion.
    pub(super) fn poll<T>(
        &self,
        source: &Source,
        direction: Direction,
        poll: impl FnOnce(&mut WaiterKey) -> Poll<T>,
    ) -> Poll<T> {
        let key = match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        };
        let mut waiter = key.get();
        let polled = poll(&mut waiter);
        if polled.is_ready() {
            source.deregister(direction, &mut waiter);
        }
        key.set(waiter);
        polled
    }
}
