//! The generic connection: a stream of bytes in both directions. Layer L4.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;

use super::endpoint::Endpoint;
use super::transport::{StreamIo, Transport};
use crate::context;
use crate::reactor::{Direction, Done, Socket};

/// A connection: the generic type of [`TcpStream`](super::TcpStream) and, on Unix,
/// [`UnixStream`](super::UnixStream).
///
/// Reading and writing take `&self`. Several tasks may share a connection in an `Rc`, or use its
/// two [halves](Connection::into_split). A connection also implements futures-io's `AsyncRead` and
/// `AsyncWrite`, by value and by reference. In these traits at most one task waits in each
/// direction: the last task that polled.
///
/// A connection belongs to the event loop that was running when it was made. After the end of that
/// loop its operations return an error of kind `NotConnected`. Dropping a connection closes it.
///
/// A write to a connection that the peer has closed returns `BrokenPipe` or `ConnectionReset`. It
/// never raises SIGPIPE.
///
/// ```
/// use evloop::net::{Connection, TcpListener, TcpStream, Transport};
///
/// async fn greet<T: Transport>(connection: &Connection<T>) -> std::io::Result<()> {
///     connection.write_all(b"hello").await
/// }
///
/// evloop::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let stream = TcpStream::connect(listener.local_addr()?).await?;
///     let (peer, _) = listener.accept().await?;
///     greet(&stream).await?;
///     let mut buf = [0; 5];
///     peer.read_exact(&mut buf).await?;
///     assert_eq!(&buf, b"hello");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub struct Connection<T: Transport> {
    pub(super) end: Endpoint<T::Stream>,
}

impl<T: Transport> Connection<T> {
    /// Registers a connection of std with the running loop, and makes it non-blocking.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "connect_accepted_socket")]
    #[doc(alias = "from_stdlib_socket")]
    #[track_caller]
    pub fn from_std(stream: T::StdStream) -> io::Result<Connection<T>> {
        let context = context::expect(T::FROM_STREAM);
        Ok(Connection { end: Endpoint::from_std(stream, &context.reactor)? })
    }

    pub(super) fn new(socket: Socket<T::Stream>) -> Connection<T> {
        Connection { end: Endpoint::new(socket) }
    }

    /// Deregisters the connection from the loop, and returns it in its original mode: blocking,
    /// unless it was non-blocking before `from_std`. (Windows does not report the mode: there it
    /// is always blocking.)
    #[doc(alias = "detach")]
    pub fn into_std(self) -> io::Result<T::StdStream> {
        self.end.into_std()
    }

    /// Reads the available bytes into `buf`, and waits until there is at least one.
    ///
    /// A count of 0 means the end of the stream: the peer has shut down its write direction. With
    /// an empty `buf`, the count is 0 as soon as the connection is readable.
    ///
    /// # Cancel safety
    ///
    /// Nothing is read if the future is dropped before it completes.
    #[doc(alias = "sock_recv")]
    #[doc(alias = "sock_recv_into")]
    #[doc(alias = "receive_some")]
    #[doc(alias = "recv_into")]
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.end.io(Direction::Read, |io| io.read(buf))
    }

    /// Reads into several buffers at once, as [`read`](Connection::read) does.
    ///
    /// # Cancel safety
    ///
    /// Nothing is read if the future is dropped before it completes.
    #[doc(alias = "readv")]
    pub async fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.end.io(Direction::Read, |io| io.read_vectored(bufs)).await
    }

    /// Reads until `buf` is full.
    ///
    /// # Errors
    ///
    /// Kind `UnexpectedEof` if the stream ends before.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the bytes read so far are in `buf`, but their count is lost. A
    /// [`StreamReader`](crate::streams::StreamReader) keeps them in its buffer.
    pub async fn read_exact(&self, buf: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.read(&mut buf[filled..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => filled += n,
            }
        }
        Ok(())
    }

    /// Reads bytes without consuming them: the next read returns the same bytes.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    #[doc(alias = "MSG_PEEK")]
    pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.end.io(Direction::Read, move |io| io.peek(buf))
    }

    /// Writes a part of `buf`, and returns the number of bytes: at least one, unless `buf` is
    /// empty.
    ///
    /// # Cancel safety
    ///
    /// Nothing is written if the future is dropped before it completes.
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.end.io(Direction::Write, |io| io.write(buf))
    }

    /// Writes a part of several buffers at once, as [`write`](Connection::write) does.
    ///
    /// # Cancel safety
    ///
    /// Nothing is written if the future is dropped before it completes.
    #[doc(alias = "writev")]
    pub async fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.end.io(Direction::Write, |io| io.write_vectored(bufs)).await
    }

    /// Writes all of `buf`.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the number of bytes written is lost. See
    /// [`write_all_buf`](Connection::write_all_buf).
    #[doc(alias = "sock_sendall")]
    #[doc(alias = "send_all")]
    pub fn write_all(&self, buf: &[u8]) -> impl Future<Output = io::Result<()>> {
        self.end.write_all(buf, |io, rest| io.write(rest))
    }

    /// Writes all of `buf`, and advances it past the bytes that were written.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if the future is dropped, `buf` holds the bytes not written yet.
    pub fn write_all_buf(&self, buf: &mut &[u8]) -> impl Future<Output = io::Result<()>> {
        self.end.write_all(buf, |io, rest| io.write(rest))
    }

    /// Shuts down one or both directions (POSIX `shutdown`). After the write direction is shut
    /// down, the peer reads the remaining bytes and then the end of the stream.
    #[doc(alias = "write_eof")]
    #[doc(alias = "send_eof")]
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.end.get().shutdown(how)
    }

    /// Turns TCP_NODELAY on, if it is a TCP connection.
    #[cfg(feature = "hyper")]
    pub(crate) fn send_at_once(&self) {
        self.end.get().send_at_once();
    }

    /// Returns the registration, for callers inside the crate with an operation of their own.
    pub(crate) fn socket(&self) -> &Socket<T::Stream> {
        &self.end.socket
    }

    /// Reads once without waiting. The result reports a short count.
    pub(crate) fn receive(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
        self.end.get().read(buf)
    }

    /// Does the same into the spare capacity of `buf`, of at least one byte.
    pub(crate) fn receive_into(&self, buf: &mut Vec<u8>) -> io::Result<Done<usize>> {
        self.end.get().read_into(buf)
    }

    /// Returns the address of the peer.
    #[doc(alias = "get_extra_info")]
    #[doc(alias = "getpeername")]
    pub fn peer_addr(&self) -> io::Result<T::Addr> {
        self.end.get().peer_addr()
    }

    /// Returns the local address.
    #[doc(alias = "get_extra_info")]
    #[doc(alias = "getsockname")]
    pub fn local_addr(&self) -> io::Result<T::Addr> {
        self.end.get().local_addr()
    }

    /// Returns the pending error of the socket and clears it (SO_ERROR).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.end.get().take_error()
    }
}

impl<T: Transport> fmt::Debug for Connection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt(f)
    }
}
