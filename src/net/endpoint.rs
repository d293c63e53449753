//! An I/O object registered with a loop: what sockets and ends of pipes have in common. Layer L4.
//!
//! Invariant: `into_std` restores the mode, blocking or not, that the object had before `from_std`.

use std::borrow::BorrowMut;
use std::fmt;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::transport::IoObject;
use super::write_all::WriteAll;
use crate::current::leaf;
use crate::io::Interest;
use crate::reactor::{Direction, Done, Reactor, Socket};
use crate::sys::{self, Owned};
use crate::world;

/// A socket or an end of a pipe.
pub(super) struct Endpoint<S: IoObject> {
    pub(super) socket: Socket<S>,
}

impl<S: IoObject> Endpoint<S> {
    pub(super) fn new(socket: Socket<S>) -> Endpoint<S> {
        Endpoint { socket }
    }

    /// Registers a new object that is non-blocking already.
    pub(super) fn register(io: S, reactor: &Rc<Reactor>) -> io::Result<Endpoint<S>> {
        Ok(Endpoint::new(Socket::new(io, reactor.clone(), true)?))
    }

    /// Registers an object, and makes it non-blocking.
    pub(super) fn from_std(
        object: impl Into<Owned>,
        reactor: &Rc<Reactor>,
    ) -> io::Result<Endpoint<S>> {
        world::check_outside("an object of the operating system")?;
        let owned = object.into();
        let was_nonblocking = sys::is_nonblocking(&owned)?;
        let io = S::from(sys::with_nonblocking(owned, true)?);
        let end = Endpoint::register(io, reactor)?;
        end.socket.set_was_nonblocking(was_nonblocking);
        Ok(end)
    }

    /// Deregisters the object from its loop, and restores its original mode.
    pub(super) fn into_std<O: From<Owned>>(self) -> io::Result<O> {
        world::check_outside("`into_std`")?;
        let was_nonblocking = self.socket.was_nonblocking();
        let owned = self.socket.into_inner()?.into();
        sys::with_nonblocking(owned, was_nonblocking).map(O::from)
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

    /// See [`WriteAll`].
    pub(super) fn write_all<'b>(
        &self,
        buf: impl BorrowMut<&'b [u8]>,
        write: impl Fn(&S, &[u8]) -> io::Result<Done<usize>>,
    ) -> impl Future<Output = io::Result<()>> {
        WriteAll::new(&self.socket, buf, write)
    }

    /// Does the same as `io` for the `poll_` methods. One task waits in each direction: the last
    /// task that polled.
    pub(super) fn poll_io<T>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        op: impl FnMut(&S) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        self.socket.poll_shared(direction, |waiter| self.socket.poll_io(direction, cx, waiter, op))
    }

    /// Completes when the direction may be ready. One task waits: the last task that polled.
    pub(super) fn poll_ready(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let source = self.socket.source();
        self.socket.poll_shared(direction, |waiter| source.poll_ready(direction, cx, waiter))
    }

    /// Completes when a direction of `interest` may be ready. Returns those that may be.
    pub(super) fn ready(
        &self,
        interest: Interest,
    ) -> impl Future<Output = io::Result<Interest>> + '_ {
        let source = self.socket.source();
        let mut waiters = [Direction::Read, Direction::Write].map(|side| source.waiter(side));
        leaf(move |cx| {
            if interest.is_priority() || interest.is_error() {
                return Poll::Ready(Err(not_reported(interest)));
            }
            let [read, write] = &mut waiters;
            let is_readable = interest.is_readable() && read.poll_ready(cx)?.is_ready();
            let is_writable = interest.is_writable() && write.poll_ready(cx)?.is_ready();
            Poll::Ready(Ok(match (is_readable, is_writable) {
                (true, true) => Interest::READABLE | Interest::WRITABLE,
                (true, false) => Interest::READABLE,
                (false, true) => Interest::WRITABLE,
                (false, false) => return Poll::Pending,
            }))
        })
    }

    /// Runs `op` once a direction of `interest` is ready, and again if it returns `WouldBlock`.
    pub(super) async fn async_io<T>(
        &self,
        interest: Interest,
        mut op: impl FnMut(&S) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            self.ready(interest).await?;
            match self.try_io(interest, &mut op) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    /// Runs `op` without waiting. `WouldBlock` clears the readiness of `interest`.
    pub(super) fn try_io<T>(
        &self,
        interest: Interest,
        mut op: impl FnMut(&S) -> io::Result<T>,
    ) -> io::Result<T> {
        self.socket.source().try_io(interest.directions(), || op(self.get()))
    }
}

#[cold]
fn not_reported(interest: Interest) -> io::Error {
    let sentence = format!(
        "a socket reports READABLE and WRITABLE only, and the interest is {interest:?}: wait for \
         the other states with evloop::io::AsyncFd"
    );
    io::Error::new(io::ErrorKind::InvalidInput, sentence)
}

impl<S: IoObject> fmt::Debug for Endpoint<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}
