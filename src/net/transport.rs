//! The kinds of connections, and the operations that differ between them. Layer L4.
//!
//! Invariant: no operation here waits. The caller decides whether an operation is tried.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};

pub(super) use private::Sealed;

use crate::reactor::Done;
use crate::sys::{AsDescriptor, Owned};

/// A kind of connection: [`Tcp`](super::Tcp), and on Unix [`Unix`](super::Unix).
///
/// It is the parameter of [`Connection`](super::Connection) and [`Listener`](super::Listener).
/// Other crates cannot implement it.
pub trait Transport: Sealed {}

mod private {
    use super::{Accept, Owned, SocketAddr, StreamIo, fmt};

    pub trait Sealed: fmt::Debug + 'static {
        /// The names of the functions, for messages.
        const FROM_STREAM: &'static str;
        const FROM_LISTENER: &'static str;
        /// The address of an end.
        type Addr: fmt::Debug;
        /// The connection of std.
        type StdStream: From<Owned> + Into<Owned>;
        /// The listener of std.
        type StdListener: From<Owned> + Into<Owned>;
        /// The connection of mio.
        type Stream: StreamIo<Addr = Self::Addr>;
        /// The listener of mio.
        type Listener: Accept<Addr = Self::Addr, Stream = Self::Stream>;
        /// Returns the address if it is an IP address with a port.
        fn ip_addr(addr: &Self::Addr) -> Option<SocketAddr>;
    }
}

/// An I/O object of mio that converts from and into the system's descriptor or handle.
pub trait IoObject:
    mio::event::Source + AsDescriptor + fmt::Debug + Unpin + From<Owned> + Into<Owned>
{
}

impl<S> IoObject for S where
    S: mio::event::Source + AsDescriptor + fmt::Debug + Unpin + From<Owned> + Into<Owned>
{
}

/// A connection of mio: a stream of bytes in both directions.
pub trait StreamIo: IoObject {
    type Addr;
    fn read(&self, buf: &mut [u8]) -> io::Result<Done<usize>>;
    /// Reads into the spare capacity.
    fn read_into(&self, buf: &mut Vec<u8>) -> io::Result<Done<usize>>;
    fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Done<usize>>;
    fn peek(&self, buf: &mut [u8]) -> io::Result<Done<usize>>;
    fn write(&self, buf: &[u8]) -> io::Result<Done<usize>>;
    fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<Done<usize>>;
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
    fn peer_addr(&self) -> io::Result<Self::Addr>;
    fn local_addr(&self) -> io::Result<Self::Addr>;
    fn take_error(&self) -> io::Result<Option<io::Error>>;
    /// Sends small writes at once (TCP_NODELAY): without that, the end of a response may wait for
    /// the acknowledgement of its beginning. It fails only if the connection has ended, which the
    /// first read reports.
    #[cfg(feature = "hyper")]
    fn send_at_once(&self) {}
    /// Runs `op` through mio, which must see each `WouldBlock`: on Windows it re-arms the event
    /// then.
    fn try_io<R>(&self, op: impl FnOnce() -> io::Result<R>) -> io::Result<R>;
}

/// A listener of mio.
pub trait Accept: IoObject {
    type Addr;
    type Stream;
    fn accept(&self) -> io::Result<(Self::Stream, Self::Addr)>;
    fn local_addr(&self) -> io::Result<Self::Addr>;
}

/// Returns the result of a transfer of `n` bytes with one buffer of `capacity` bytes. A short count
/// shows that the system's buffer is drained or full.
#[inline]
pub(super) fn done_bytes(n: io::Result<usize>, capacity: usize) -> io::Result<Done<usize>> {
    n.map(|n| Done { value: n, short: n < capacity && n > 0 })
}

/// Returns a result without a short count. This holds for several buffers too: the system accepts
/// at most IOV_MAX buffers at once, so fewer bytes do not show that its buffer is drained or full.
#[inline]
pub(super) fn done<T>(result: io::Result<T>) -> io::Result<Done<T>> {
    result.map(|value| Done { value, short: false })
}
