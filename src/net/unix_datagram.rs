//! The Unix datagram socket. Layer L4.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use rustix::net::{send, sendto};

use super::datagram_socket::DatagramSocket;
use super::messages::{DatagramIo, Protocol, ReceiveMode, Sealed, check_truncated, explain_send};
use super::system;
use super::transport::done;
use super::unix_path::{address_error, from_raw, parse_address, retry_when_full, to_raw};
use super::unix_stream::Unix;
use crate::context;
use crate::reactor::Direction;
use crate::sys::{NO_SIGNAL, receive, receive_anonymous};

/// A Unix datagram socket. Datagrams arrive in order, and none is lost.
///
/// On Linux a path that begins with a NUL, as `"\0name"`, is an abstract name: see
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
    /// Makes a socket on a path, where the system makes a file; see
    /// [`UnixListener::bind`](super::UnixListener::bind).
    ///
    /// # Errors
    ///
    /// As [`UnixListener::bind`](super::UnixListener::bind).
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[track_caller]
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixDatagram> {
        // First: a panic leaves no file behind.
        let context = context::expect("UnixDatagram::bind");
        let addr = parse_address(path.as_ref())?;
        let bound = system::datagram(Some(&addr));
        let socket = bound.map_err(|error| address_error("bind to", &addr, error))?;
        UnixDatagram::from_mio(socket, &context.reactor)
    }

    /// Makes a socket without an address. It can send, but no other socket can send to it.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[track_caller]
    pub fn unbound() -> io::Result<UnixDatagram> {
        let context = context::expect("UnixDatagram::unbound");
        UnixDatagram::from_mio(system::datagram(None)?, &context.reactor)
    }

    /// Makes two sockets that are connected to each other.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "socketpair")]
    #[track_caller]
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let reactor = &context::expect("UnixDatagram::pair").reactor;
        let (one, other) = system::datagram_pair()?;
        Ok((UnixDatagram::from_mio(one, reactor)?, UnixDatagram::from_mio(other, reactor)?))
    }

    /// Connects the socket to the socket at `path`. [`send`](DatagramSocket::send) then sends to
    /// it, and datagrams are received from it only.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if the path is too long. `NotFound` if there is no such file.
    /// `ConnectionRefused` if no socket is bound to the file.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let addr = parse_address(path.as_ref())?;
        let connected = system::connect_datagram(self.end.get(), &addr);
        connected.map_err(|error| address_error("connect to", &addr, error))
    }

    /// Sends a datagram to the socket at `path`. Waits while the queue of that socket is full.
    ///
    /// # Errors
    ///
    /// As [`connect`](UnixDatagram::connect). EMSGSIZE if the datagram is too long.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent if the future is dropped before it completes.
    pub async fn send_to(&self, buf: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        let addr = parse_address(path.as_ref())?;
        // The system reports the writability of this socket, not that the other queue has capacity.
        let sent = retry_when_full(|| self.attempt_to(buf, &addr)).await;
        sent.map_err(|error| address_error("send to", &addr, error))
    }

    /// Sends a datagram to the socket at `path` without waiting; see
    /// [`send_to`](UnixDatagram::send_to).
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if the queue of that socket is full.
    pub fn try_send_to(&self, buf: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        self.attempt_to(buf, &parse_address(path.as_ref())?)
    }

    /// Shuts down one or both directions (POSIX `shutdown`).
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        system::shutdown_datagram(self.end.get(), how)
    }

    fn attempt_to(&self, buf: &[u8], addr: &SocketAddr) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Write, |io| done(io.transmit_to(buf, addr)))
    }
}

impl Protocol for Unix {}

impl Sealed for Unix {
    const FROM_STD: &'static str = "UnixDatagram::from_std";
    type Addr = SocketAddr;
    type StdSocket = net::UnixDatagram;
    type Socket = system::UnixDatagram;
}

impl DatagramIo for mio::net::UnixDatagram {
    type Addr = SocketAddr;

    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_io(|| Ok(send(self, buf, NO_SIGNAL)?))
            .map_err(|error| explain_send(buf.len(), error))
    }

    fn transmit_to(&self, buf: &[u8], addr: &SocketAddr) -> io::Result<usize> {
        let raw = to_raw(addr)?;
        self.try_io(|| Ok(sendto(self, buf, NO_SIGNAL, &raw)?))
    }

    fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
        let (length, is_truncated) = self.try_io(|| receive_anonymous(self, buf))?;
        check_truncated(length, is_truncated, buf.len())
    }

    fn receive_from(&self, buf: &mut [u8], mode: ReceiveMode) -> io::Result<(usize, SocketAddr)> {
        let received = self.try_io(|| receive(self, buf, mode == ReceiveMode::Peek));
        let (length, is_truncated, from) = received?;
        Ok((check_truncated(length, is_truncated, buf.len())?, from_raw(from)?))
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
