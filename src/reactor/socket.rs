//! An I/O object and its registration with a loop.
//!
//! A simulation could put its own object here in place of the system's. Invariant: the object is
//! registered from `new` until it is dropped or taken out, and the reactor's slab holds its entry
//! for the same time.

use std::future::Future;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use mio::event;

use super::selector::{Entry, Reactor};
use super::source::{Direction, Done, Source};
use super::waiters::WaiterKey;
use crate::sys::{self, AsDescriptor};

/// An I/O object of type `S` that is registered with a loop.
#[derive(Debug)]
pub(crate) struct Socket<S: event::Source> {
    /// `None` only while the socket is dropped or the object is taken out.
    io: Option<S>,
    /// All else is behind this pointer, to keep the socket small: an async function stores its
    /// arguments more than once.
    entry: Rc<Entry>,
    /// The index of the entry in the slab of the reactor. It fits into the padding of this type.
    key: u32,
}

impl<S: event::Source> Socket<S> {
    /// Registers `io`. If `ready` is true, operations are tried before the first event.
    pub(crate) fn new(mut io: S, reactor: Rc<Reactor>, ready: bool) -> io::Result<Socket<S>>
    where
        S: AsDescriptor,
    {
        let (entry, key) = reactor.register(sys::descriptor(&io), &mut io, ready)?;
        Ok(Socket { io: Some(io), entry, key })
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
    #[track_caller]
    pub(crate) fn poll_io<T>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        key: &mut WaiterKey,
        mut op: impl FnMut(&S) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        self.entry.source.poll_io(direction, cx, key, || op(self.get()))
    }

    /// See [`Source::try_ready`].
    #[inline(always)]
    pub(crate) fn try_ready<T>(
        &self,
        direction: Direction,
        mut op: impl FnMut(&S) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        self.entry.source.try_ready(direction, || op(self.get()))
    }

    /// Calls `poll` with the waiter of one direction that all `poll_` methods of the object share:
    /// one task waits, the last that polled. Removes the waiter on completion.
    pub(crate) fn poll_shared<T>(
        &self,
        direction: Direction,
        poll: impl FnOnce(&mut WaiterKey) -> Poll<T>,
    ) -> Poll<T> {
        self.entry.polled.poll(&self.entry.source, direction, poll)
    }

    /// Completes once the direction is believed to be ready.
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

    /// Removes the waiter at `key`, if there is one.
    pub(crate) fn deregister(&self, direction: Direction, key: &mut WaiterKey) {
        self.entry.source.deregister(direction, key);
    }

    /// Registers the object again if the selector emulates edges. mio's own types do this by
    /// themselves, other objects need the call. `io` must be the same object.
    #[cfg(unix)]
    pub(crate) fn rearm(&self, mut io: impl event::Source) -> io::Result<()> {
        self.entry.reactor.rearm(&mut io, self.key as usize)
    }

    /// Records that the object was non-blocking, or not, before it was registered.
    pub(crate) fn set_was_nonblocking(&self, was_nonblocking: bool) {
        self.entry.was_nonblocking.set(was_nonblocking);
    }

    /// Returns what [`set_was_nonblocking`](Socket::set_was_nonblocking) has recorded, or `false`.
    pub(crate) fn was_nonblocking(&self) -> bool {
        self.entry.was_nonblocking.get()
    }

    /// Deregisters the object and returns it.
    pub(crate) fn into_inner(mut self) -> io::Result<S> {
        let mut io = self.io.take().expect("it is taken out once");
        self.entry.reactor.deregister(&mut io)?;
        Ok(io)
    }
}

impl<S: event::Source> Drop for Socket<S> {
    fn drop(&mut self) {
        if let Some(mut io) = self.io.take() {
            // Closing alone is not enough: a duplicate of the descriptor would keep it registered.
            // If deregistering fails, the object reports no more events.
            let _ = self.entry.reactor.deregister(&mut io);
            drop(io);
            self.entry.reactor.descriptor_closed();
        }
        self.entry.reactor.remove_source(self.key as usize);
    }
}
