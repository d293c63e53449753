//! Whether an I/O object is ready, and who waits for it.
//!
//! Pure: no system call is made here. The selector reports edges, so readiness is remembered until
//! an operation finds it gone; an operation is always tried first. Every operation goes through
//! [`Source::poll_io`], so that EINTR, WouldBlock, readiness, waiters and budget are one place's
//! business. Invariant: a direction that is not ready has been found so by an operation, or an
//! event is to come.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use super::waiters::{WaiterKey, Waiters};
use crate::current::{self, WaitsFor, budget};
use crate::sys;

/// One of the two ways of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// What the selector reported.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readiness {
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// A closed side, an error or an urgent mark: there is more to find than what is drained.
    pub(crate) special: bool,
}

/// What an operation achieved.
#[derive(Clone, Copy, Debug)]
pub struct Done<T> {
    pub value: T,
    /// A consuming read or write of a byte stream moved fewer bytes than it was given room for.
    pub short: bool,
}

/// One direction.
#[derive(Default)]
struct Side {
    /// An operation may succeed. Cleared by a WouldBlock, or by a short count that proves as much.
    ready: Cell<bool>,
    /// A short count proves nothing until the next WouldBlock.
    special: Cell<bool>,
    /// The selector does not watch the object: no event will come. See [`sys::IS_EMULATED`].
    unwatched: Cell<bool>,
    /// The loop has ended: no event will come.
    gone: Cell<bool>,
    waiters: Waiters,
}

/// Readiness and waiters of one I/O object.
#[derive(Default)]
pub(crate) struct Source {
    read: Side,
    write: Side,
}

/// A future's place among those who wait for one direction, which it has once it waits; made by
/// [`Source::waiter`]. Given up when it is dropped.
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
    /// A source of which nothing is known: `ready` says whether to try before waiting.
    pub(crate) fn new(ready: bool) -> Source {
        let source = Source::default();
        source.read.ready.set(ready);
        source.write.ready.set(ready);
        source
    }

    /// No place yet.
    pub(crate) fn waiter(&self, direction: Direction) -> Waiter<'_> {
        Waiter { side: self.side(direction), key: WaiterKey::default() }
    }

    /// Runs `op` until it completes.
    ///
    /// # Cancel safety
    ///
    /// `op` has either completed, and the result is returned, or it has done nothing.
    pub(crate) fn io<F>(&self, direction: Direction, op: F) -> Io<'_, F> {
        Io { waiter: self.waiter(direction), op }
    }

    /// Completes once the direction is ready, as far as is known.
    pub(crate) fn ready(&self, direction: Direction) -> impl Future<Output = io::Result<()>> {
        let mut waiter = self.waiter(direction);
        poll_fn(move |cx| waiter.side.poll_ready(cx, &mut waiter.key))
    }

    /// Completes once `is_done`, which is asked at every wake: for what has no selector behind it.
    pub(crate) fn until(
        &self,
        direction: Direction,
        is_done: impl Fn() -> bool,
    ) -> impl Future<Output = io::Result<()>> {
        let mut waiter = self.waiter(direction);
        poll_fn(move |cx| {
            if is_done() {
                ready!(budget::poll_left(cx));
                budget::spend();
                return Poll::Ready(Ok(()));
            }
            waiter.side.poll_wait(cx, &mut waiter.key)
        })
    }

    /// The funnel: tries `op` if the direction is ready, else leaves the task's waker at `key`.
    #[inline]
    pub(crate) fn poll_io<T>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        key: &mut WaiterKey,
        op: impl FnMut() -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        self.side(direction).poll_io(cx, key, op)
    }

    /// Completes once the direction is ready, as far as is known.
    pub(crate) fn poll_ready(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        key: &mut WaiterKey,
    ) -> Poll<io::Result<()>> {
        self.side(direction).poll_ready(cx, key)
    }

    /// Tries `op` once, whatever is known, and remembers what it showed. EINTR does not count.
    #[inline]
    pub(crate) fn attempt<T>(
        &self,
        direction: Direction,
        op: impl FnMut() -> io::Result<Done<T>>,
    ) -> io::Result<T> {
        self.side(direction).attempt(op)
    }

    /// Tries `op` once, an operation of the caller's own: what it shows is remembered for each of
    /// `directions`.
    pub(crate) fn try_io<T>(
        &self,
        directions: impl IntoIterator<Item = Direction>,
        op: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let mut result = uninterrupted(op);
        for direction in directions {
            let whole = result.map(|value| Done { value, short: false });
            result = self.side(direction).remember(whole);
        }
        result
    }

    /// Forgets what is known: waiting is for the next event.
    pub(crate) fn clear(&self, direction: Direction) {
        self.side(direction).clear();
    }

    /// Says that no event will come, if edges are emulated: the next wait ends after a pause.
    #[cfg(unix)]
    pub(crate) fn set_unwatched(&self, direction: Direction) {
        self.side(direction).unwatched.set(sys::IS_EMULATED);
    }

    /// Whether a direction waits for no event, but for [`retry`](Source::retry).
    pub(crate) fn is_unwatched(&self) -> bool {
        self.read.unwatched.get() || self.write.unwatched.get()
    }

    /// Has operations tried again in a direction that the selector does not watch.
    pub(crate) fn retry(&self, woken: &mut VecDeque<Waker>) {
        for side in [&self.read, &self.write] {
            if side.unwatched.replace(false) {
                side.set_ready(true, woken);
            }
        }
    }

    /// Whether the selector has reported an error or urgent data since this was last asked, or
    /// since a read found nothing.
    #[cfg(unix)]
    pub(crate) fn take_special(&self) -> bool {
        self.read.special.take()
    }

    /// Takes in an event, and adds the wakers that it concerns to `woken`. Part of the loop over
    /// the events, which costs a request 25 instructions less so.
    #[inline(always)]
    pub(crate) fn set_ready(&self, readiness: Readiness, woken: &mut VecDeque<Waker>) {
        if readiness.read {
            self.read.set_ready(readiness.special, woken);
        }
        if readiness.write {
            self.write.set_ready(readiness.special, woken);
        }
    }

    /// The loop has ended: who waits, or will wait, gets an error.
    pub(crate) fn set_gone(&self, woken: &mut VecDeque<Waker>) {
        for side in [&self.read, &self.write] {
            side.gone.set(true);
            side.ready.set(false);
            side.waiters.take_wakers(woken);
        }
    }

    /// Gives up a place among the waiters.
    #[inline]
    pub(crate) fn leave(&self, direction: Direction, key: &mut WaiterKey) {
        self.side(direction).waiters.leave(key);
    }

    fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }
}

impl Waiter<'_> {
    /// See [`Source::poll_io`].
    #[inline]
    pub(crate) fn poll_io<T>(
        &mut self,
        cx: &mut Context<'_>,
        op: impl FnMut() -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        self.side.poll_io(cx, &mut self.key, op)
    }

    /// Waits for the next event of the direction.
    #[cfg(unix)]
    pub(crate) fn poll_wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.side.poll_wait(cx, &mut self.key)
    }
}

impl Side {
    #[inline]
    fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        key: &mut WaiterKey,
        op: impl FnMut() -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        ready!(budget::poll_left(cx));
        if self.ready.get() {
            match self.attempt(op) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    budget::spend();
                    return Poll::Ready(result);
                }
            }
        }
        self.poll_wait(cx, key)
    }

    fn poll_ready(&self, cx: &mut Context<'_>, key: &mut WaiterKey) -> Poll<io::Result<()>> {
        ready!(budget::poll_left(cx));
        if self.ready.get() {
            budget::spend();
            return Poll::Ready(Ok(()));
        }
        self.poll_wait(cx, key)
    }

    #[inline]
    fn attempt<T>(&self, op: impl FnMut() -> io::Result<Done<T>>) -> io::Result<T> {
        self.remember(uninterrupted(op))
    }

    /// Takes in what a result shows.
    #[inline]
    fn remember<T>(&self, result: io::Result<Done<T>>) -> io::Result<T> {
        match result {
            Ok(done) => {
                if sys::SHORT_IS_DRAINED && done.short && !self.special.get() {
                    self.ready.set(false);
                }
                Ok(done.value)
            }
            Err(error) if sys::is_forgotten(&error) => {
                self.clear();
                self.unwatched.set(true);
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(error) => {
                if error.kind() == io::ErrorKind::WouldBlock {
                    self.clear();
                }
                Err(error)
            }
        }
    }

    fn clear(&self) {
        self.ready.set(false);
        self.special.set(false);
    }

    fn poll_wait<T>(&self, cx: &mut Context<'_>, key: &mut WaiterKey) -> Poll<io::Result<T>> {
        if self.gone.get() {
            return Poll::Ready(Err(gone()));
        }
        self.waiters.wait(key, cx.waker());
        current::pending(WaitsFor::Io)
    }

    #[inline(always)]
    fn set_ready(&self, special: bool, woken: &mut VecDeque<Waker>) {
        self.ready.set(true);
        self.special.set(self.special.get() | special);
        self.waiters.take_wakers(woken);
    }
}

/// The first result of `op` that is not an interruption by a signal.
#[inline]
fn uninterrupted<T>(mut op: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match op() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cold]
fn gone() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotConnected,
        "the event loop that this I/O object belongs to has ended: use it inside of that loop's \
         block_on, or make it anew in this one",
    )
}

impl<T, F: FnMut() -> io::Result<Done<T>> + Unpin> Future for Io<'_, F> {
    type Output = io::Result<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Io { waiter, op } = &mut *self;
        waiter.poll_io(cx, op)
    }
}

impl Drop for Waiter<'_> {
    #[inline]
    fn drop(&mut self) {
        self.side.waiters.leave(&mut self.key);
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (read, write) = (self.read.ready.get(), self.write.ready.get());
        f.debug_struct("Source").field("read", &read).field("write", &write).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
