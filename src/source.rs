//! L0: whether an I/O object is ready, and who waits for it.
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

use crate::budget;
use crate::current::{self, WaitsFor};
pub(crate) use crate::waiters::WaiterKey;
use crate::waiters::Waiters;

/// Whether a read or write that was cut short proves that the socket is drained. So it is with
/// epoll. kqueue does not tell of an urgent mark, which cuts a read short too; the emulated edges
/// of poll(2) and Windows come only after a WouldBlock that mio saw.
const SHORT_IS_DRAINED: bool = cfg!(all(
    any(target_os = "linux", target_os = "android"),
    not(mio_unsupported_force_poll_poll)
));

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
/// [`Source::place`]. Given up when it is dropped.
pub(crate) struct Place<'a> {
    side: &'a Side,
    key: WaiterKey,
}

/// A future that runs an operation on a source until it completes; made by [`Source::io`].
#[must_use = "an operation does nothing unless it is awaited"]
pub(crate) struct Io<'a, F> {
    place: Place<'a>,
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
    pub(crate) fn place(&self, direction: Direction) -> Place<'_> {
        Place { side: self.side(direction), key: WaiterKey::default() }
    }

    /// Runs `op` until it completes.
    ///
    /// # Cancel safety
    ///
    /// `op` has either completed, and the result is returned, or it has done nothing.
    pub(crate) fn io<F>(&self, direction: Direction, op: F) -> Io<'_, F> {
        Io { place: self.place(direction), op }
    }

    /// Completes once the direction is ready, as far as is known.
    pub(crate) fn ready(&self, direction: Direction) -> impl Future<Output = io::Result<()>> {
        let mut place = self.place(direction);
        poll_fn(move |cx| place.side.poll_ready(cx, &mut place.key))
    }

    /// Completes once `is_done`, which is asked at every wake: for what has no selector behind it.
    pub(crate) fn until(
        &self,
        direction: Direction,
        is_done: impl Fn() -> bool,
    ) -> impl Future<Output = io::Result<()>> {
        let mut place = self.place(direction);
        poll_fn(move |cx| {
            if is_done() {
                return Poll::Ready(Ok(()));
            }
            place.side.poll_wait(cx, &mut place.key)
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

    /// Forgets what is known: waiting is for the next event.
    pub(crate) fn clear(&self, direction: Direction) {
        self.side(direction).ready.set(false);
    }

    /// Takes in an event, and adds the wakers that it concerns to `woken`.
    #[inline]
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

impl Place<'_> {
    /// See [`Source::poll_io`].
    #[inline]
    pub(crate) fn poll_io<T>(
        &mut self,
        cx: &mut Context<'_>,
        op: impl FnMut() -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        self.side.poll_io(cx, &mut self.key, op)
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
    fn attempt<T>(&self, mut op: impl FnMut() -> io::Result<Done<T>>) -> io::Result<T> {
        loop {
            match op() {
                Ok(done) => {
                    if SHORT_IS_DRAINED && done.short && !self.special.get() {
                        self.ready.set(false);
                    }
                    return Ok(done.value);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    if error.kind() == io::ErrorKind::WouldBlock {
                        self.ready.set(false);
                        self.special.set(false);
                    }
                    return Err(error);
                }
            }
        }
    }

    fn poll_wait<T>(&self, cx: &mut Context<'_>, key: &mut WaiterKey) -> Poll<io::Result<T>> {
        if self.gone.get() {
            return Poll::Ready(Err(gone()));
        }
        self.waiters.wait(key, cx.waker());
        current::pending(WaitsFor::Io)
    }

    #[inline]
    fn set_ready(&self, special: bool, woken: &mut VecDeque<Waker>) {
        self.ready.set(true);
        self.special.set(self.special.get() | special);
        self.waiters.take_wakers(woken);
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
        let Io { place, op } = &mut *self;
        place.poll_io(cx, op)
    }
}

impl Drop for Place<'_> {
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
mod tests {
    use super::*;

    const EVENT: Readiness = Readiness { read: true, write: false, special: false };

    fn would_block() -> io::Result<Done<()>> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn poll(source: &Source, key: &mut WaiterKey, done: io::Result<Done<()>>) -> Poll<()> {
        let mut done = Some(done);
        let mut cx = Context::from_waker(Waker::noop());
        let op = || done.take().expect("tried once");
        source.poll_io(Direction::Read, &mut cx, key, op).map(|result| result.unwrap())
    }

    fn waiters(source: &Source) -> usize {
        let mut woken = VecDeque::new();
        source.set_ready(EVENT, &mut woken);
        source.read.ready.set(false);
        woken.len()
    }

    #[test]
    fn a_short_count_spares_the_next_attempt() {
        let source = Source::new(true);
        let mut key = WaiterKey::default();
        let short = Ok(Done { value: (), short: true });
        assert_eq!(poll(&source, &mut key, short), Poll::Ready(()));
        assert_eq!(source.read.ready.get(), !SHORT_IS_DRAINED);
    }

    #[test]
    fn a_short_count_proves_nothing_after_a_special_event() {
        let source = Source::new(true);
        let mut key = WaiterKey::default();
        source.set_ready(Readiness { special: true, ..EVENT }, &mut VecDeque::new());
        source.set_ready(EVENT, &mut VecDeque::new());
        for _ in 0..2 {
            let short = Ok(Done { value: (), short: true });
            assert_eq!(poll(&source, &mut key, short), Poll::Ready(()));
            assert!(source.read.ready.get());
        }
        assert_eq!(poll(&source, &mut key, would_block()), Poll::Pending);
        assert!(!source.read.special.get(), "a WouldBlock clears all");
    }

    #[test]
    fn every_waiter_is_woken_and_none_removes_another() {
        let source = Source::new(false);
        let mut keys = [WaiterKey::default(); 4];
        for key in &mut keys {
            assert_eq!(poll(&source, key, would_block()), Poll::Pending);
        }
        assert_eq!(waiters(&source), 4);
        assert_eq!(waiters(&source), 0, "woken once");
        // The last waits again; the others are dropped afterwards, as futures are.
        assert_eq!(poll(&source, &mut keys[3], would_block()), Poll::Pending);
        for key in &mut keys[..3] {
            source.leave(Direction::Read, key);
        }
        assert_eq!(waiters(&source), 1);
        source.leave(Direction::Read, &mut keys[3]);
        let mut first = WaiterKey::default();
        assert_eq!(poll(&source, &mut first, would_block()), Poll::Pending);
        source.leave(Direction::Read, &mut first);
        assert_eq!(waiters(&source), 0, "who has left is not woken");
        assert!(source.read.waiters.is_empty(), "nothing is left behind");
    }

    #[test]
    fn the_end_of_the_loop_is_an_error() {
        let source = Source::new(true);
        source.set_gone(&mut VecDeque::new());
        let mut cx = Context::from_waker(Waker::noop());
        let op = || -> io::Result<Done<()>> { panic!("it is not tried") };
        let polled = source.poll_io(Direction::Read, &mut cx, &mut WaiterKey::default(), op);
        let Poll::Ready(Err(error)) = polled else { panic!("{polled:?}") };
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    }
}
