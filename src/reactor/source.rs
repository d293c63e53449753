//! The readiness of an I/O object, and the tasks that wait for it.
//!
//! Pure: this file makes no system call. The selector reports edges, so readiness is stored until
//! an operation returns WouldBlock; an operation is always tried first. Every operation goes
//! through [`Source::poll_io`], so that EINTR, WouldBlock, readiness, waiters and budget are
//! handled in one place. Invariant: if a direction is not ready, either an operation has shown
//! that, or an event is still to come.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::task::{Context, Poll, Waker, ready};

use super::waiters::{WaiterKey, Waiters};
use crate::current::{self, WaitsFor, budget};
use crate::sys;

/// One of the two directions of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// The readiness that an event of the selector reports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readiness {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

/// The result of an operation that succeeded.
#[derive(Clone, Copy, Debug)]
pub struct Done<T> {
    pub value: T,
    /// A consuming read or write of a byte stream moved fewer bytes than its buffer holds.
    pub short: bool,
}

pub(super) type Side = Waiters<State>;

/// The state of one direction.
#[derive(Default)]
pub(super) struct State {
    /// An operation may succeed. Cleared by a WouldBlock, or by a short count that proves the same.
    ready: Cell<bool>,
    /// A short count proves nothing until the next WouldBlock.
    special: Cell<bool>,
    /// The selector does not watch the object, so no event will come. See [`sys::IS_EMULATED`].
    unwatched: Cell<bool>,
    /// The loop has ended, so no event will come.
    closed: Cell<bool>,
}

/// The readiness and the waiters of one I/O object.
#[derive(Default)]
pub(crate) struct Source {
    read: Side,
    write: Side,
}

impl Source {
    /// Creates a source. If `ready` is true, operations are tried before the first event.
    pub(crate) fn new(ready: bool) -> Source {
        let source = Source::default();
        source.read.state.ready.set(ready);
        source.write.state.ready.set(ready);
        source
    }

    /// Tries `op` if the direction is ready, else stores the task's waker at `key`. Every operation
    /// goes through this function.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn poll_io<T>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        key: &mut WaiterKey,
        op: impl FnMut() -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        self.side(direction).poll_io(cx, key, op)
    }

    /// Tries `op` if the direction is ready and the budget allows it. Returns `Pending`, and does
    /// not wait, if `op` is to be polled by [`poll_io`](Source::poll_io).
    #[inline(always)]
    pub(crate) fn try_ready<T>(
        &self,
        direction: Direction,
        mut op: impl FnMut() -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        let side = self.side(direction);
        if budget::next_unit().is_none() || !side.state.ready.get() {
            return Poll::Pending;
        }
        side.try_once(&mut op)
    }

    /// Completes once the direction is believed to be ready.
    #[track_caller]
    pub(crate) fn poll_ready(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        key: &mut WaiterKey,
    ) -> Poll<io::Result<()>> {
        self.side(direction).poll_ready(cx, key)
    }

    /// Tries `op` once, ready or not, and records what its result shows. EINTR is retried.
    #[inline]
    pub(crate) fn attempt<T>(
        &self,
        direction: Direction,
        op: impl FnMut() -> io::Result<Done<T>>,
    ) -> io::Result<T> {
        self.side(direction).attempt(op)
    }

    /// Tries `op` once, an operation of user code, and records what its result shows for each of
    /// `directions`.
    pub(crate) fn try_io<T>(
        &self,
        directions: impl IntoIterator<Item = Direction>,
        op: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let mut result = uninterrupted(op);
        for direction in directions {
            let whole = result.map(|value| Done { value, short: false });
            result = flatten(self.side(direction).record(whole));
        }
        result
    }

    /// Clears the readiness: the next wait is for the next event.
    pub(crate) fn clear(&self, direction: Direction) {
        self.side(direction).clear();
    }

    /// Records that no event will come, if edges are emulated: the next wait ends at the next
    /// retry.
    #[cfg(unix)]
    pub(crate) fn set_unwatched(&self, direction: Direction) {
        self.side(direction).state.unwatched.set(sys::IS_EMULATED);
    }

    /// Returns whether a direction waits for [`retry`](Source::retry), not for an event.
    pub(crate) fn is_unwatched(&self) -> bool {
        self.read.state.unwatched.get() || self.write.state.unwatched.get()
    }

    /// Wakes the waiters of each direction that the selector does not watch, so that they try
    /// again.
    pub(crate) fn retry(&self, woken: &mut impl Extend<Waker>) {
        for side in [&self.read, &self.write] {
            if side.state.unwatched.replace(false) {
                side.state.special.set(true);
                side.set_ready(woken);
            }
        }
    }

    /// Returns whether the selector has reported an error or urgent data since the last call, or
    /// since a read returned WouldBlock.
    #[cfg(unix)]
    pub(crate) fn take_special(&self) -> bool {
        self.read.state.special.take()
    }

    /// Records an event, and adds the wakers of its directions to `woken`, which must not run user
    /// code. Inlined into the loop over the events: that saves 25 instructions a request.
    #[inline(always)]
    pub(crate) fn set_ready(&self, readiness: Readiness, woken: &mut impl Extend<Waker>) {
        if readiness.read {
            self.read.set_ready(woken);
        }
        if readiness.write {
            self.write.set_ready(woken);
        }
    }

    /// Records an event of a closed side, an error or an urgent mark, as
    /// [`set_ready`](Source::set_ready) does: a short count does not prove that nothing is left.
    #[cold]
    #[inline(never)]
    pub(crate) fn set_special(&self, readiness: Readiness, woken: &mut impl Extend<Waker>) {
        self.read.state.special.set(self.read.state.special.get() | readiness.read);
        self.write.state.special.set(self.write.state.special.get() | readiness.write);
        self.set_ready(readiness, woken);
    }

    /// Closes the source when its loop ends: all present and later waiters get an error.
    pub(crate) fn close(&self, woken: &mut impl Extend<Waker>) {
        for side in [&self.read, &self.write] {
            side.state.closed.set(true);
            side.state.ready.set(false);
            side.take_wakers(woken);
        }
    }

    /// Removes the waiter at `key`, if there is one.
    #[inline]
    pub(crate) fn deregister(&self, direction: Direction, key: &mut WaiterKey) {
        self.side(direction).deregister(key);
    }

    pub(super) fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }
}

impl Side {
    /// Inlined into the future of the operation as far as an operation needs that succeeds at once.
    /// A wait, an error and a refusal are calls, so the inlined code saves few registers.
    #[inline(always)]
    #[track_caller]
    pub(super) fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        key: &mut WaiterKey,
        mut op: impl FnMut() -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        ready!(budget::poll_left(cx));
        // More than once only after EINTR.
        while self.state.ready.get() {
            if let Poll::Ready(result) = self.try_once(&mut op) {
                return Poll::Ready(result);
            }
        }
        self.poll_wait(cx, key)
    }

    /// Tries `op`, and spends a unit if it completes. Returns `Pending` for EINTR, and for a
    /// WouldBlock, which clears the readiness.
    #[inline]
    fn try_once<T>(&self, op: &mut impl FnMut() -> io::Result<Done<T>>) -> Poll<io::Result<T>> {
        match op() {
            Ok(done) => {
                self.record_done(done.short);
                budget::spend();
                Poll::Ready(Ok(done.value))
            }
            Err(error) => self.poll_error(error).map(Err),
        }
    }

    /// Handles the error of an operation that was tried, as [`try_once`](Side::try_once) does.
    #[cold]
    #[inline(never)]
    fn poll_error(&self, error: io::Error) -> Poll<io::Error> {
        if error.kind() == io::ErrorKind::Interrupted {
            return Poll::Pending;
        }
        match self.record_error(error) {
            ControlFlow::Break(error) => {
                budget::spend();
                Poll::Ready(error)
            }
            ControlFlow::Continue(_) => Poll::Pending,
        }
    }

    #[track_caller]
    pub(super) fn poll_ready(
        &self,
        cx: &mut Context<'_>,
        key: &mut WaiterKey,
    ) -> Poll<io::Result<()>> {
        ready!(budget::poll_left(cx));
        if self.state.ready.get() {
            budget::spend();
            return Poll::Ready(Ok(()));
        }
        self.poll_wait(cx, key)
    }

    #[inline]
    fn attempt<T>(&self, op: impl FnMut() -> io::Result<Done<T>>) -> io::Result<T> {
        flatten(self.record(uninterrupted(op)))
    }

    /// Records what a result shows about the readiness. Returns `Continue` for a WouldBlock.
    #[inline]
    fn record<T>(&self, result: io::Result<Done<T>>) -> ControlFlow<io::Result<T>, io::Error> {
        match result {
            Ok(done) => {
                self.record_done(done.short);
                ControlFlow::Break(Ok(done.value))
            }
            Err(error) => match self.record_error(error) {
                ControlFlow::Break(error) => ControlFlow::Break(Err(error)),
                ControlFlow::Continue(would_block) => ControlFlow::Continue(would_block),
            },
        }
    }

    #[inline]
    fn record_done(&self, is_short: bool) {
        // A short count saves the next call, which would return WouldBlock.
        if sys::SHORT_IS_DRAINED && is_short && !self.state.special.get() {
            self.state.ready.set(false);
        }
    }

    fn record_error(&self, error: io::Error) -> ControlFlow<io::Error, io::Error> {
        if sys::is_forgotten(&error) {
            self.clear();
            self.state.unwatched.set(true);
            return ControlFlow::Continue(io::ErrorKind::WouldBlock.into());
        }
        if error.kind() == io::ErrorKind::WouldBlock {
            self.clear();
            return ControlFlow::Continue(error);
        }
        ControlFlow::Break(error)
    }

    fn clear(&self) {
        self.state.ready.set(false);
        self.state.special.set(false);
    }

    /// Waits for the next event.
    #[inline]
    #[track_caller]
    pub(super) fn poll_wait<T>(
        &self,
        cx: &mut Context<'_>,
        key: &mut WaiterKey,
    ) -> Poll<io::Result<T>> {
        self.wait_or_fail(cx, key).map(Err)
    }

    /// Stores the task's waker at `key`. Returns an error if no event will come. Out of line, so
    /// that an operation that does not wait saves no registers.
    #[inline(never)]
    #[track_caller]
    fn wait_or_fail(&self, cx: &mut Context<'_>, key: &mut WaiterKey) -> Poll<io::Error> {
        if self.state.closed.get() {
            return Poll::Ready(loop_ended());
        }
        let pending = current::pending(WaitsFor::Io);
        self.wait(key, cx.waker());
        pending
    }

    #[inline(always)]
    fn set_ready(&self, woken: &mut impl Extend<Waker>) {
        self.state.ready.set(true);
        self.take_wakers(woken);
    }
}

/// Returns the first result of `op` that is not EINTR.
#[inline]
fn uninterrupted<T>(mut op: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match op() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Returns the result of an operation that may not wait.
#[inline]
fn flatten<T>(recorded: ControlFlow<io::Result<T>, io::Error>) -> io::Result<T> {
    match recorded {
        ControlFlow::Break(result) => result,
        ControlFlow::Continue(would_block) => Err(would_block),
    }
}

#[cold]
fn loop_ended() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotConnected,
        "the event loop that this I/O object belongs to has ended: use it inside that loop's \
         block_on, or create a new one in this loop",
    )
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (read, write) = (self.read.state.ready.get(), self.write.state.ready.get());
        f.debug_struct("Source").field("read", &read).field("write", &write).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
