//! The readiness of connections, and operations that do not wait. Layer L4.

use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::task::{Context, Poll};

use super::connection::Connection;
use super::transport::{StreamIo, Transport};
use crate::io::Interest;
use crate::reactor::Direction;

/// Readiness, and operations that do not wait.
impl<T: Transport> Connection<T> {
    /// Waits until the connection may be readable.
    ///
    /// The readiness may be stale: try the read with `try_read` or [`try_io`](Connection::try_io),
    /// and wait again if it returns `WouldBlock`.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
        self.end.socket.ready(Direction::Read)
    }

    /// Waits until the connection may be writable; see [`readable`](Connection::readable).
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    #[doc(alias = "wait_send_all_might_not_block")]
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> {
        self.end.socket.ready(Direction::Write)
    }

    /// Waits until the connection may be in one of the states of `interest`, and returns those that
    /// it may be in; see [`readable`](Connection::readable).
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` for a state other than `READABLE` and `WRITABLE`.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    ///
    /// ```
    /// use evloop::io::Interest;
    /// use evloop::net::{TcpListener, TcpStream};
    ///
    /// evloop::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let stream = TcpStream::connect(listener.local_addr()?).await?;
    ///     let ready = stream.ready(Interest::READABLE | Interest::WRITABLE).await?;
    ///     assert!(ready.is_writable());
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Interest>> {
        self.end.ready(interest)
    }

    /// Polls for readability, as [`readable`](Connection::readable) does. At most one task waits in
    /// it and in `AsyncRead`: the last task that polled.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end.poll_ready(Direction::Read, cx)
    }

    /// Polls for writability, as [`writable`](Connection::writable) does. At most one task waits in
    /// it and in `AsyncWrite`: the last task that polled.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end.poll_ready(Direction::Write, cx)
    }

    /// Runs the caller's own operation on the descriptor of the connection, and repeats it if a
    /// signal interrupts it. The operation must not block.
    ///
    /// `interest` is the readiness that `op` lacks when it returns `WouldBlock`. The next
    /// [`readable`](Connection::readable) or [`writable`](Connection::writable) then waits for an
    /// event. An operation that bypasses this method leaves the readiness set, so a loop over
    /// `readable` spins.
    ///
    /// # Errors
    ///
    /// The errors of `op`.
    ///
    #[cfg_attr(unix, doc = "```")]
    #[cfg_attr(not(unix), doc = "```ignore")]
    /// use evloop::io::Interest;
    /// use evloop::net::UnixStream;
    /// use rustix::net::{RecvFlags, recv};
    /// use std::io::ErrorKind;
    ///
    /// evloop::block_on(async {
    ///     let (one, other) = UnixStream::pair()?;
    ///     one.write_all(b"hello").await?;
    ///     let mut buf = [0; 8];
    ///     let n = loop {
    ///         other.readable().await?;
    ///         let op = || Ok(recv(&other, &mut buf, RecvFlags::empty())?.0);
    ///         match other.try_io(Interest::READABLE, op) {
    ///             Err(error) if error.kind() == ErrorKind::WouldBlock => {}
    ///             result => break result?,
    ///         }
    ///     };
    ///     assert_eq!(n, 5);
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub fn try_io<R>(
        &self,
        interest: Interest,
        mut op: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        self.end.try_io(interest, |io| io.try_io(&mut op))
    }

    /// Waits until the connection is ready for `op`, and runs it; again if it returns `WouldBlock`.
    ///
    /// `interest` is the readiness that `op` needs; see [`try_io`](Connection::try_io).
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
    ///
    #[cfg_attr(unix, doc = "```")]
    #[cfg_attr(not(unix), doc = "```ignore")]
    /// use evloop::io::Interest;
    /// use evloop::net::UnixStream;
    /// use rustix::net::{RecvFlags, recv};
    ///
    /// evloop::block_on(async {
    ///     let (one, other) = UnixStream::pair()?;
    ///     one.write_all(b"hello").await?;
    ///     let mut buf = [0; 8];
    ///     let op = || Ok(recv(&other, &mut buf, RecvFlags::empty())?.0);
    ///     assert_eq!(other.async_io(Interest::READABLE, op).await?, 5);
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut op: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        self.end.async_io(interest, |io| io.try_io(&mut op)).await
    }

    /// Reads the available bytes without waiting.
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if no byte is available.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Read, |io| io.read(buf))
    }

    /// Reads the available bytes into several buffers without waiting.
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if no byte is available.
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Read, |io| io.read_vectored(bufs))
    }

    /// Reads bytes without consuming them, as [`peek`](Connection::peek) does. At most one task
    /// waits in it and in `AsyncRead`: the last task that polled.
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.end.poll_io(Direction::Read, cx, |io| io.peek(buf))
    }

    /// Writes the bytes that the system accepts without waiting.
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if the system's send buffer is full.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Write, |io| io.write(buf))
    }

    /// Writes the bytes of several buffers that the system accepts without waiting.
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if the system's send buffer is full.
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Write, |io| io.write_vectored(bufs))
    }
}
