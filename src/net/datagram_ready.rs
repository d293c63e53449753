//! The readiness of datagram sockets, operations that do not wait, and `poll_` functions. Layer L4.

use std::future::Future;
use std::io;
use std::task::{Context, Poll};

use super::datagram_socket::{DatagramSocket, length, sender, sender_buffer};
use super::messages::{DatagramIo, Protocol, ReceiveMode};
use super::transport::done;
use crate::io::Interest;
use crate::reactor::Direction;

/// Readiness, and operations that do not wait.
impl<P: Protocol> DatagramSocket<P> {
    /// Waits until the socket may be readable.
    ///
    /// The readiness may be stale: try to receive with `try_recv` or
    /// [`try_io`](DatagramSocket::try_io), and wait again if it returns `WouldBlock`.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
        self.end.socket.ready(Direction::Read)
    }

    /// Waits until the socket may be writable; see [`readable`](DatagramSocket::readable).
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> {
        self.end.socket.ready(Direction::Write)
    }

    /// Waits until the socket may be in one of the states of `interest`, and returns those that it
    /// may be in; see [`readable`](DatagramSocket::readable).
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` for a state other than `READABLE` and `WRITABLE`.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Interest>> {
        self.end.ready(interest)
    }

    /// Polls for readability, as [`readable`](DatagramSocket::readable) does. At most one task
    /// waits in it and in the other `poll_` functions of this direction: the last task that polled.
    #[doc(alias = "poll_recv_ready")]
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end.poll_ready(Direction::Read, cx)
    }

    /// Polls for writability, as [`writable`](DatagramSocket::writable) does. At most one task
    /// waits in it and in the other `poll_` functions of this direction: the last task that polled.
    #[doc(alias = "poll_send_ready")]
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end.poll_ready(Direction::Write, cx)
    }

    /// Runs the caller's own operation on the descriptor of the socket, and repeats it if a signal
    /// interrupts it. The operation must not block.
    ///
    /// `interest` is the readiness that `op` lacks when it returns `WouldBlock`. The next
    /// [`readable`](DatagramSocket::readable) or [`writable`](DatagramSocket::writable) then waits
    /// for an event. See [`Connection::try_io`](super::Connection::try_io).
    ///
    /// # Errors
    ///
    /// The errors of `op`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        mut op: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        self.end.try_io(interest, |io| io.try_io(&mut op))
    }

    /// Waits until the socket is ready for `op`, and runs it; again if it returns `WouldBlock`. See
    /// [`Connection::async_io`](super::Connection::async_io).
    ///
    /// # Errors
    ///
    /// The errors of `op` except `WouldBlock`. Kind `InvalidInput` for a state other than
    /// `READABLE` and `WRITABLE`.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, `op` has not run or has returned `WouldBlock`: the result of any
    /// other return is the output of the future.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut op: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        self.end.async_io(interest, |io| io.try_io(&mut op)).await
    }

    /// Sends a datagram without waiting; see [`send`](DatagramSocket::send).
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if the system's send buffer is full.
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Write, |io| done(io.send(buf)))
    }

    /// Receives a datagram without waiting; see [`recv`](DatagramSocket::recv).
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if no datagram is available.
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Read, |io| done(io.receive(buf)))
    }

    /// Receives a datagram and the address of its sender without waiting; see
    /// [`recv_from`](DatagramSocket::recv_from).
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if no datagram is available.
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, P::Addr)> {
        self.end
            .socket
            .attempt(Direction::Read, |io| done(io.receive_from(buf, ReceiveMode::Consume)))
    }

    /// Reads the beginning of a datagram without waiting; see [`peek`](DatagramSocket::peek).
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if no datagram is available.
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_peek_from(buf).map(length)
    }

    /// Reads the beginning of a datagram and the address of its sender without waiting; see
    /// [`peek_from`](DatagramSocket::peek_from).
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if no datagram is available.
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, P::Addr)> {
        self.end.socket.attempt(Direction::Read, |io| done(io.receive_from(buf, ReceiveMode::Peek)))
    }

    /// Returns the address of the sender of the next datagram without waiting; see
    /// [`peek_sender`](DatagramSocket::peek_sender).
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if no datagram is available.
    pub fn try_peek_sender(&self) -> io::Result<P::Addr> {
        self.try_peek_from(&mut sender_buffer()).map(sender)
    }
}

/// The operations as `poll_` functions. In each direction at most one task waits: the last task
/// that polled.
impl<P: Protocol> DatagramSocket<P> {
    /// Sends a datagram as [`send`](DatagramSocket::send) does.
    ///
    /// ```
    /// use evloop::net::UdpSocket;
    /// use std::future::poll_fn;
    ///
    /// evloop::block_on(async {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").await?;
    ///     socket.connect(socket.local_addr()?).await?;
    ///     poll_fn(|cx| socket.poll_send(cx, b"hello")).await?;
    ///     let mut buf = [0; 8];
    ///     assert_eq!(poll_fn(|cx| socket.poll_recv(cx, &mut buf)).await?, 5);
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.end.poll_io(Direction::Write, cx, |io| done(io.send(buf)))
    }

    /// Receives a datagram as [`recv`](DatagramSocket::recv) does.
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_recv_from(cx, buf).map_ok(length)
    }

    /// Receives a datagram and the address of its sender as
    /// [`recv_from`](DatagramSocket::recv_from) does.
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(usize, P::Addr)>> {
        self.poll_receive(cx, buf, ReceiveMode::Consume)
    }

    /// Reads the beginning of a datagram as [`peek`](DatagramSocket::peek) does.
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_peek_from(cx, buf).map_ok(length)
    }

    /// Reads the beginning of a datagram and the address of its sender as
    /// [`peek_from`](DatagramSocket::peek_from) does.
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(usize, P::Addr)>> {
        self.poll_receive(cx, buf, ReceiveMode::Peek)
    }

    /// Returns the address of the sender of the next datagram as
    /// [`peek_sender`](DatagramSocket::peek_sender) does.
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<P::Addr>> {
        self.poll_peek_from(cx, &mut sender_buffer()).map_ok(sender)
    }

    fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
        mode: ReceiveMode,
    ) -> Poll<io::Result<(usize, P::Addr)>> {
        self.end.poll_io(Direction::Read, cx, |io| done(io.receive_from(buf, mode)))
    }
}
