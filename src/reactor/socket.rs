//! An I/O object and its registration with a loop.
//!
//! This is where a simulated world would put its own object in the place of the system's.
//! Invariant: the object is registered from `new` until it is dropped or taken out, and the
//! reactor's slab holds its entry for just as long.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use mio::event;

use super::selector::{Entry, Reactor};
use super::source::{Direction, Done, Source};
use super::waiters::WaiterKey;

/// An I/O object of type `S` in a loop.
#[derive(Debug)]
pub(crate) struct Socket<S: event::Source> {
    /// `None` only while it is dropped or taken out.
    io: Option<S>,
    /// Behind a pointer, for a small socket: an async function keeps its arguments more than once.
    entry: Rc<Entry>,
}

impl<S: event::Source> Socket<S> {
    /// Registers `io`. `ready` says whether operations are tried before an event came.
    pub(crate) fn new(mut io: S, reactor: Rc<Reactor>, ready: bool) -> io::Result<Socket<S>> {
        let entry = reactor.register(&mut io, ready)?;
        Ok(Socket { io: Some(io), entry })
    }

    pub(crate) fn get(&self) -> &S {
        self.io.as_ref().expect("a socket holds its I/O object until it is dropped")
    }

    pub(crate) fn reactor(&self) -> &Rc<Reactor> {
        &self.entry.reactor
    }

    pub(crate) fn source(&self) -> &Source {
        &self.entry.source
    }

    /// See [`Source::io`].
    pub(crate) fn io<'a, T>(
        &'a self,
        direction: Direction,
        mut op: impl FnMut(&S) -> io::Result<Done<T>> + Unpin + 'a,
    ) -> impl Future<Output = io::Result<T>> + 'a {
        self.entry.source.io(direction, move || op(self.get()))
    }

    /// See [`Source::poll_io`].
    pub(crate) fn poll_io<T>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        key: &mut WaiterKey,
        mut op: impl FnMut(&S) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        self.entry.source.poll_io(direction, cx, key, || op(self.get()))
    }

    /// Completes once the direction is ready, as far as is known.
    pub(crate) fn ready(&self, direction: Direction) -> impl Future<Output = io::Result<()>> {
        self.entry.source.ready(direction)
    }

    /// Tries `op` once.
    pub(crate) fn attempt<T>(
        &self,
        direction: Direction,
        mut op: impl FnMut(&S) -> io::Result<Done<T>>,
    ) -> io::Result<T> {
        self.entry.source.attempt(direction, || op(self.get()))
    }

    /// Gives up a place among the waiters.
    pub(crate) fn leave(&self, direction: Direction, key: &mut WaiterKey) {
        self.entry.source.leave(direction, key);
    }

    /// Has the selector look at the object again, where edges are emulated: for what is not mio's,
    /// and so does not do it by itself. `io` is the same object.
    #[cfg(unix)]
    pub(crate) fn rearm(&self, mut io: impl event::Source) -> io::Result<()> {
        self.entry.reactor.rearm(&mut io, self.entry.key)
    }

    /// Takes the object out of the loop.
    pub(crate) fn into_inner(mut self) -> io::Result<S> {
        let mut io = self.io.take().expect("it is taken out once");
        self.entry.reactor.deregister(&mut io)?;
        Ok(io)
    }
}

impl<S: event::Source> Drop for Socket<S> {
    fn drop(&mut self) {
        if let Some(mut io) = self.io.take() {
            // Not left to closing: a duplicate of the descriptor would keep it registered. What
            // cannot be taken out has no more events.
            let _ = self.entry.reactor.deregister(&mut io);
            drop(io);
            self.entry.reactor.descriptor_closed();
        }
        self.entry.reactor.forget(self.entry.key);
    }
}

/// The places of the `poll_` methods among the waiters.
#[derive(Default)]
pub(crate) struct Polled {
    read: Cell<WaiterKey>,
    write: Cell<WaiterKey>,
}

impl Polled {
    /// Polls with the place of one direction, which is given up on completion.
    pub(crate) fn poll<T>(
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
            source.leave(direction, &mut waiter);
        }
        key.set(waiter);
        polled
    }
}
