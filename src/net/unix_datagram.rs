//! A socket for datagrams between two processes of one machine.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use rustix::net::{connect, send, sendto};

use super::datagram_socket::DatagramSocket;
use super::messages::{Messages, Protocol, Sealed, Take, uncut};
use super::transport::whole;
use super::unix_path::{address, failure, of_raw, retry_when_full, to_raw};
use super::unix_stream::Unix;
use crate::reactor::Direction;
use crate::sys::{NO_SIGNAL, receive};

/// A Unix socket for datagrams. They arrive in order, and none is lost.
///
/// A path that begins with a NUL, as `"\0name"`, is on Linux an abstract name: see
/// [`UnixListener::bind`](super::UnixListener::bind).
///
/// ```
/// use evloop::net::UnixDatagram;
///
/// evloop::block_on(async {
///     let (one, other) = UnixDatagram::pair()?;
///     one.send(b"hello").await?;
///     let mut buf = [0; 64];
///     assert_eq!(other.recv(&mut buf).await?, 5);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub type UnixDatagram = DatagramSocket<Unix>;

impl UnixDatagram {
    /// A socket on a path, where the system makes a file; see
    /// [`UnixListener::bind`](super::UnixListener::bind).
    ///
    /// # Errors
    ///
    /// As [`UnixListener::bind`](super::UnixListener::bind).
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixDatagram> {
        let addr = address(path.as_ref())?;
        let bound = mio::net::UnixDatagram::bind_addr(&addr);
        UnixDatagram::from_mio(bound.map_err(|error| failure("bind to", &addr, error))?)
    }

    /// A socket without an address: it can send, and be answered only if it is connected to.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub fn unbound() -> io::Result<UnixDatagram> {
        UnixDatagram::from_mio(mio::net::UnixDatagram::unbound()?)
    }

    /// Two sockets connected to each other.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "socketpair")]
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (one, other) = mio::net::UnixDatagram::pair()?;
        Ok((UnixDatagram::from_mio(one)?, UnixDatagram::from_mio(other)?))
    }

    /// Fixes where [`send`](DatagramSocket::send) sends to, and from where datagrams are received.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if the path is too long; `NotFound` if there is no such file,
    /// `ConnectionRefused` if nobody has it.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let addr = address(path.as_ref())?;
        let connected = connect(self.end.get(), &to_raw(&addr)?);
        connected.map_err(|errno| failure("connect to", &addr, errno.into()))
    }

    /// Sends a datagram to the socket at `path`. Waits while that one is full.
    ///
    /// # Errors
    ///
    /// As [`connect`](UnixDatagram::connect); EMSGSIZE if it is too long.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent if the future is dropped before it completes.
    pub async fn send_to(&self, buf: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        let addr = address(path.as_ref())?;
        // The socket is told when itself has room, not when another one has.
        let sent = retry_when_full(|| self.attempt_to(buf, &addr)).await;
        sent.map_err(|error| failure("send to", &addr, error))
    }

    /// The same without waiting.
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if there is no room now.
    pub fn try_send_to(&self, buf: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        self.attempt_to(buf, &address(path.as_ref())?)
    }

    /// Ends one or both directions (POSIX `shutdown`).
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.end.get().shutdown(how)
    }

    fn attempt_to(&self, buf: &[u8], addr: &SocketAddr) -> io::Result<usize> {
        let raw = to_raw(addr)?;
        self.end.socket.attempt(Direction::Write, |io| {
            whole(io.try_io(|| Ok(sendto(io, buf, NO_SIGNAL, &raw)?)))
        })
    }
}

impl Protocol for Unix {}

impl Sealed for Unix {
    type Addr = SocketAddr;
    type StdSocket = net::UnixDatagram;
    type Socket = mio::net::UnixDatagram;
}

impl Messages for mio::net::UnixDatagram {
    type Addr = SocketAddr;

    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_io(|| Ok(send(self, buf, NO_SIGNAL)?))
    }

    fn receive(&self, buf: &mut [u8], take: Take) -> io::Result<(usize, SocketAddr)> {
        let received = self.try_io(|| receive(self, buf, take == Take::None));
        let (length, is_cut, from) = received?;
        Ok((uncut(length, is_cut, buf.len())?, of_raw(from)?))
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.take_error()
    }

    fn try_io<R>(&self, op: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.try_io(op)
    }
}
