//! A socket for datagrams: messages that arrive whole or not at all.

use std::fmt;
use std::future::Future;
use std::io;
use std::task::{Context, Poll};

use super::endpoint::Endpoint;
use super::messages::{Messages, Protocol, Take};
use super::transport::whole;
use crate::context;
use crate::io::Interest;
use crate::reactor::{Direction, Socket};

/// A socket for datagrams, of which [`UdpSocket`](super::UdpSocket) is one kind and, on Unix,
/// [`UnixDatagram`](super::UnixDatagram) another.
///
/// All operations take `&self`; several tasks may share a socket in an `Rc`.
///
/// A datagram is received whole. What `recv` and `recv_from` have no room for is lost, and they say
/// so, by an error that holds [`Truncated`](super::Truncated). One of no bytes is a datagram too.
///
/// On a connected socket, any operation may report that an earlier datagram was refused
/// (`ConnectionRefused`): the socket goes on after it.
pub struct DatagramSocket<P: Protocol> {
    pub(super) end: Endpoint<P::Socket>,
}

impl<P: Protocol> DatagramSocket<P> {
    /// Takes a socket of std's into the running loop, and makes it non-blocking.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub fn from_std(socket: P::StdSocket) -> io::Result<DatagramSocket<P>> {
        Ok(DatagramSocket { end: Endpoint::from_std(socket, "from_std")? })
    }

    pub(super) fn from_mio(socket: P::Socket) -> io::Result<DatagramSocket<P>> {
        let reactor = context::expect("making a socket").reactor.clone();
        Ok(DatagramSocket { end: Endpoint::new(Socket::new(socket, reactor, true)?) })
    }

    /// Takes the socket out of the loop, as it came into it: blocking, unless `from_std` was given
    /// one that was not. (Windows does not tell: there it is blocking.)
    pub fn into_std(self) -> io::Result<P::StdSocket> {
        self.end.into_std()
    }

    /// Sends a datagram to the address that the socket is connected to.
    ///
    /// # Errors
    ///
    /// Kind `NotConnected` or another if it is not connected; EMSGSIZE if the datagram is too long.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent if the future is dropped before it completes.
    pub fn send<'a>(&'a self, buf: &'a [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.end.io(Direction::Write, |io| whole(io.send(buf)))
    }

    /// Receives a datagram, and returns its length.
    ///
    /// # Errors
    ///
    /// [`Truncated`](super::Truncated) if it is longer than `buf`, which then has its beginning.
    ///
    /// # Cancel safety
    ///
    /// Nothing is received if the future is dropped before it completes.
    #[doc(alias = "sock_recv_into")]
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.end.io(Direction::Read, |io| whole(io.receive(buf, Take::Whole))).await.map(length)
    }

    /// Receives a datagram, and returns its length and who sent it.
    ///
    /// # Errors
    ///
    /// [`Truncated`](super::Truncated) if it is longer than `buf`, which then has its beginning.
    ///
    /// # Cancel safety
    ///
    /// Nothing is received if the future is dropped before it completes.
    #[doc(alias = "sock_recvfrom_into")]
    #[doc(alias = "datagram_received")]
    pub fn recv_from<'a>(
        &'a self,
        buf: &'a mut [u8],
    ) -> impl Future<Output = io::Result<(usize, P::Addr)>> + 'a {
        self.end.io(Direction::Read, |io| whole(io.receive(buf, Take::Whole)))
    }

    /// Reads a datagram, or as much of it as there is room for, without taking it.
    ///
    /// # Errors
    ///
    /// On Windows [`Truncated`](super::Truncated) if it is longer than `buf`.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    #[doc(alias = "MSG_PEEK")]
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.peek_from(buf).await.map(length)
    }

    /// The same, and who sent it.
    ///
    /// # Errors
    ///
    /// As [`peek`](DatagramSocket::peek).
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, P::Addr)> {
        self.end.io(Direction::Read, |io| whole(io.receive(buf, Take::None))).await
    }

    /// Sends a datagram without waiting; see [`send`](DatagramSocket::send).
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if the system takes nothing now.
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Write, |io| whole(io.send(buf)))
    }

    /// Receives a datagram without waiting; see [`recv`](DatagramSocket::recv).
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if nothing is there.
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_recv_from(buf).map(length)
    }

    /// The same, and who sent it; see [`recv_from`](DatagramSocket::recv_from).
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if nothing is there.
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, P::Addr)> {
        self.end.socket.attempt(Direction::Read, |io| whole(io.receive(buf, Take::Whole)))
    }

    /// Waits until a datagram may be there, as far as is known: try it, by `try_recv` or
    /// [`try_io`](DatagramSocket::try_io), and wait again if it gives `WouldBlock`.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
        self.end.socket.ready(Direction::Read)
    }

    /// Waits until one may be sent; see [`readable`](DatagramSocket::readable).
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> {
        self.end.socket.ready(Direction::Write)
    }

    /// The same as [`readable`](DatagramSocket::readable), as a `poll_` method. At most one task
    /// waits in it: the last that polled.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end.poll_ready(Direction::Read, cx)
    }

    /// The same as [`writable`](DatagramSocket::writable), as a `poll_` method. At most one task
    /// waits in it: the last that polled.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end.poll_ready(Direction::Write, cx)
    }

    /// Runs an operation of the caller's own on the socket's descriptor, now, and again if a signal
    /// interrupts it. It must not wait.
    ///
    /// `interest` says what it waits for if it returns `WouldBlock`: then the next
    /// [`readable`](DatagramSocket::readable) or [`writable`](DatagramSocket::writable) waits for
    /// an event. See [`Connection::try_io`](super::Connection::try_io).
    ///
    /// # Errors
    ///
    /// Those of `op`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        mut op: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        self.end.try_io(interest, |io| io.try_io(&mut op))
    }

    /// The address that it is bound to.
    pub fn local_addr(&self) -> io::Result<P::Addr> {
        self.end.get().local_addr()
    }

    /// The address that it is connected to.
    pub fn peer_addr(&self) -> io::Result<P::Addr> {
        self.end.get().peer_addr()
    }

    /// Takes the error that the system holds for this socket (SO_ERROR).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.end.get().take_error()
    }
}

fn length<A>((length, _from): (usize, A)) -> usize {
    length
}

impl<P: Protocol> fmt::Debug for DatagramSocket<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt(f)
    }
}
