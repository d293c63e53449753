//! What connections are made of: the kinds of sockets, and what differs between them.
//!
//! Invariant: nothing here waits; whether an operation is tried at all is decided by who calls.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;

pub(super) use private::Sealed;

use crate::reactor::Done;
use crate::sys::Owned;

/// A kind of connection: [`Tcp`](super::Tcp), and on Unix [`Unix`](super::Unix).
///
/// It cannot be implemented elsewhere.
pub trait Transport: Sealed {}

mod private {
    use super::{Accept, Bytes, Owned, fmt};

    pub trait Sealed: fmt::Debug + 'static {
        /// What an end is called.
        type Addr: fmt::Debug;
        /// std's connection.
        type StdStream: From<Owned> + Into<Owned>;
        /// std's listener.
        type StdListener: From<Owned> + Into<Owned>;
        /// mio's connection.
        type Stream: Bytes<Addr = Self::Addr>;
        /// mio's listener.
        type Listener: Accept<Addr = Self::Addr, Stream = Self::Stream>;
    }
}

/// An object of mio's that the system's handle goes in and out of.
pub trait Object: mio::event::Source + fmt::Debug + From<Owned> + Into<Owned> {}

impl<S: mio::event::Source + fmt::Debug + From<Owned> + Into<Owned>> Object for S {}

/// A socket on which bytes go both ways.
pub trait Bytes: Object {
    type Addr;
    fn read(&self, buf: &mut [u8]) -> io::Result<Done<usize>>;
    fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Done<usize>>;
    fn peek(&self, buf: &mut [u8]) -> io::Result<Done<usize>>;
    fn write(&self, buf: &[u8]) -> io::Result<Done<usize>>;
    fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<Done<usize>>;
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
    fn peer_addr(&self) -> io::Result<Self::Addr>;
    fn local_addr(&self) -> io::Result<Self::Addr>;
    fn take_error(&self) -> io::Result<Option<io::Error>>;
    /// Runs `op` so that mio sees a WouldBlock.
    fn try_io<R>(&self, op: impl FnOnce() -> io::Result<R>) -> io::Result<R>;
}

/// A socket that connections come from.
pub trait Accept: Object {
    type Addr;
    type Stream;
    fn accept(&self) -> io::Result<(Self::Stream, Self::Addr)>;
    fn local_addr(&self) -> io::Result<Self::Addr>;
}

/// `n` bytes were moved that one buffer of `room` bytes was for.
#[inline]
pub(super) fn counted(n: io::Result<usize>, room: usize) -> io::Result<Done<usize>> {
    n.map(|n| Done { value: n, short: n < room && n > 0 })
}

/// A result of which the number says nothing about what is left. So it is also with several
/// buffers: the system takes at most IOV_MAX at once, and few bytes need not mean that it is done.
#[inline]
pub(super) fn whole<T>(result: io::Result<T>) -> io::Result<Done<T>> {
    result.map(|value| Done { value, short: false })
}
