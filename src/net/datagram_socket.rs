//! The generic datagram socket. A datagram arrives whole or not at all. Layer L4.

use std::fmt;
use std::future::Future;
use std::io;
use std::rc::Rc;

use super::endpoint::Endpoint;
use super::messages::{DatagramIo, Protocol, ReceiveMode};
use super::transport::done;
use crate::context;
use crate::reactor::{Direction, Reactor};

/// A datagram socket: the generic type of [`UdpSocket`](super::UdpSocket) and, on Unix,
/// [`UnixDatagram`](super::UnixDatagram).
///
/// All operations take `&self`. Several tasks may share a socket in an `Rc`.
///
/// A datagram is received whole. If the buffer of `recv` or `recv_from` is too short, the rest of
/// the datagram is lost, and the error holds [`Truncated`](super::Truncated). So a peer can make
/// a receive fail: a server goes on after it. An empty datagram is valid.
///
/// On a connected socket, any operation may report that the peer refused an earlier datagram
/// (`ConnectionRefused`). The socket stays usable.
///
/// ```
/// use evloop::net::{DatagramSocket, Protocol, UdpSocket};
///
/// async fn greet<P: Protocol>(socket: &DatagramSocket<P>) -> std::io::Result<usize> {
///     socket.send(b"hello").await
/// }
///
/// evloop::block_on(async {
///     let server = UdpSocket::bind("127.0.0.1:0").await?;
///     let client = UdpSocket::bind("127.0.0.1:0").await?;
///     client.connect(server.local_addr()?).await?;
///     greet(&client).await?;
///     assert_eq!(server.recv(&mut [0; 64]).await?, 5);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub struct DatagramSocket<P: Protocol> {
    pub(super) end: Endpoint<P::Socket>,
}

impl<P: Protocol> DatagramSocket<P> {
    /// Registers a socket of std with the running loop, and makes it non-blocking.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[track_caller]
    pub fn from_std(socket: P::StdSocket) -> io::Result<DatagramSocket<P>> {
        let context = context::expect(P::FROM_STD);
        Ok(DatagramSocket { end: Endpoint::from_std(socket, &context.reactor)? })
    }

    pub(super) fn from_mio(
        socket: P::Socket,
        reactor: &Rc<Reactor>,
    ) -> io::Result<DatagramSocket<P>> {
        Ok(DatagramSocket { end: Endpoint::register(socket, reactor)? })
    }

    /// Deregisters the socket from the loop, and returns it in its original mode: blocking, unless
    /// it was non-blocking before `from_std`. (Windows does not report the mode: there it is always
    /// blocking.)
    #[doc(alias = "detach")]
    pub fn into_std(self) -> io::Result<P::StdSocket> {
        self.end.into_std()
    }

    /// Sends a datagram to the address that the socket is connected to.
    ///
    /// # Errors
    ///
    /// Kind `NotConnected` if the socket is not connected. EMSGSIZE if the datagram is
    /// too long.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent if the future is dropped before it completes.
    pub fn send<'a>(&'a self, buf: &'a [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.end.io(Direction::Write, |io| done(io.send(buf)))
    }

    /// Receives a datagram into `buf`, and returns its length.
    ///
    /// # Errors
    ///
    /// [`Truncated`](super::Truncated) if the datagram is longer than `buf`. `buf` then holds its
    /// beginning.
    ///
    /// # Cancel safety
    ///
    /// Nothing is received if the future is dropped before it completes.
    #[doc(alias = "sock_recv")]
    #[doc(alias = "sock_recv_into")]
    pub fn recv<'a>(&'a self, buf: &'a mut [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.end.io(Direction::Read, move |io| done(io.receive(buf)))
    }

    /// Receives a datagram into `buf`, and returns its length and the address of its sender.
    ///
    /// # Errors
    ///
    /// [`Truncated`](super::Truncated) if the datagram is longer than `buf`. `buf` then holds its
    /// beginning.
    ///
    /// # Cancel safety
    ///
    /// Nothing is received if the future is dropped before it completes.
    #[doc(alias = "recvfrom")]
    #[doc(alias = "sock_recvfrom")]
    #[doc(alias = "sock_recvfrom_into")]
    #[doc(alias = "datagram_received")]
    #[doc(alias = "recvfrom_into")]
    pub fn recv_from<'a>(
        &'a self,
        buf: &'a mut [u8],
    ) -> impl Future<Output = io::Result<(usize, P::Addr)>> + 'a {
        self.end.io(Direction::Read, |io| done(io.receive_from(buf, ReceiveMode::Consume)))
    }

    /// Reads the beginning of a datagram into `buf`, and leaves the datagram in the queue of the
    /// socket.
    ///
    /// # Errors
    ///
    /// On Windows [`Truncated`](super::Truncated) if the datagram is longer than `buf`.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    #[doc(alias = "MSG_PEEK")]
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.peek_from(buf).await.map(length)
    }

    /// Reads a datagram as [`peek`](DatagramSocket::peek) does, and also returns the address of its
    /// sender.
    ///
    /// # Errors
    ///
    /// As [`peek`](DatagramSocket::peek).
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn peek_from<'a>(
        &'a self,
        buf: &'a mut [u8],
    ) -> impl Future<Output = io::Result<(usize, P::Addr)>> + 'a {
        self.end.io(Direction::Read, move |io| done(io.receive_from(buf, ReceiveMode::Peek)))
    }

    /// Returns the address of the sender of the next datagram, and leaves the datagram in the queue
    /// of the socket.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub async fn peek_sender(&self) -> io::Result<P::Addr> {
        self.peek_from(&mut sender_buffer()).await.map(sender)
    }

    /// Returns the local address.
    #[doc(alias = "getsockname")]
    pub fn local_addr(&self) -> io::Result<P::Addr> {
        self.end.get().local_addr()
    }

    /// Returns the address that the socket is connected to.
    #[doc(alias = "getpeername")]
    pub fn peer_addr(&self) -> io::Result<P::Addr> {
        self.end.get().peer_addr()
    }

    /// Returns the pending error of the socket and clears it (SO_ERROR).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.end.get().take_error()
    }
}

/// Returns the buffer of a peek for the sender: empty, except on Windows, which does not report the
/// sender of a datagram that is longer than the buffer.
pub(super) fn sender_buffer() -> Vec<u8> {
    vec![0; if cfg!(windows) { 1 << 16 } else { 0 }]
}

pub(super) fn sender<A>((_length, from): (usize, A)) -> A {
    from
}

pub(super) fn length<A>((length, _from): (usize, A)) -> usize {
    length
}

impl<P: Protocol> fmt::Debug for DatagramSocket<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt(f)
    }
}
