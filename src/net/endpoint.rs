//! An I/O object in a loop: how it comes in and leaves, and who waits in its `poll_` methods.
//!
//! Invariant: an object leaves in the mode in which it came, blocking or not.

use std::borrow::BorrowMut;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::task::{Context, Poll, ready};

use super::transport::Object;
use crate::context;
use crate::io::Interest;
use crate::reactor::{Direction, Done, Polled, Socket};
use crate::sys::{self, Owned};

/// A socket or an end of a pipe.
pub(super) struct Endpoint<S: Object> {
    pub(super) socket: Socket<S>,
    /// It was non-blocking before it came here.
    came_nonblocking: bool,
    /// The places of the `poll_` methods among the waiters.
    polled: Polled,
}

impl<S: Object> Endpoint<S> {
    pub(super) fn new(socket: Socket<S>) -> Endpoint<S> {
        Endpoint { socket, came_nonblocking: false, polled: Polled::default() }
    }

    /// Takes an object into the running loop, and makes it non-blocking.
    ///
    /// # Panics
    ///
    /// Outside of a running loop; `what` was called.
    #[track_caller]
    pub(super) fn from_std(object: impl Into<Owned>, what: &str) -> io::Result<Endpoint<S>> {
        let reactor = context::expect(what).reactor.clone();
        let owned = object.into();
        let came_nonblocking = sys::is_nonblocking(&owned)?;
        let io = S::from(sys::with_nonblocking(owned, true)?);
        Ok(Endpoint { came_nonblocking, ..Endpoint::new(Socket::new(io, reactor, true)?) })
    }

    /// Takes the object out of its loop, in the mode in which it came.
    pub(super) fn into_std<O: From<Owned>>(self) -> io::Result<O> {
        let owned = self.socket.into_inner()?.into();
        sys::with_nonblocking(owned, self.came_nonblocking).map(O::from)
    }

    pub(super) fn get(&self) -> &S {
        self.socket.get()
    }

    /// See [`Socket::io`].
    pub(super) fn io<'a, T>(
        &'a self,
        direction: Direction,
        op: impl FnMut(&S) -> io::Result<Done<T>> + Unpin + 'a,
    ) -> impl Future<Output = io::Result<T>> + 'a {
        self.socket.io(direction, op)
    }

    /// Writes all of `buf`, and moves its begin along with what was written.
    pub(super) fn write_all<'b>(
        &self,
        mut buf: impl BorrowMut<&'b [u8]>,
        write: impl Fn(&S, &[u8]) -> io::Result<Done<usize>>,
    ) -> impl Future<Output = io::Result<()>> {
        let mut waiter = self.socket.source().waiter(Direction::Write);
        poll_fn(move |cx| {
            let rest = buf.borrow_mut();
            while !rest.is_empty() {
                match ready!(waiter.poll_io(cx, || write(self.get(), rest)))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    n => *rest = &rest[n..],
                }
            }
            Poll::Ready(Ok(()))
        })
    }

    /// The same as `io` for one `poll_` method of each direction: the last that polled waits.
    pub(super) fn poll_io<T>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        op: impl FnMut(&S) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        let source = self.socket.source();
        self.polled.poll(source, direction, |waiter| self.socket.poll_io(direction, cx, waiter, op))
    }

    /// Completes once the direction is ready, as far as is known: the last that polled waits.
    pub(super) fn poll_ready(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let source = self.socket.source();
        self.polled.poll(source, direction, |waiter| source.poll_ready(direction, cx, waiter))
    }

    /// Tries `op` once, which waits for `interest`.
    pub(super) fn try_io<T>(
        &self,
        interest: Interest,
        mut op: impl FnMut(&S) -> io::Result<T>,
    ) -> io::Result<T> {
        self.socket.source().try_io(interest.directions(), || op(self.get()))
    }
}

impl<S: Object> fmt::Debug for Endpoint<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}
