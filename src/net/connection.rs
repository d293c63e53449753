//! A connection: bytes both ways.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::task::{Context, Poll};

use super::endpoint::Endpoint;
use super::transport::{Bytes, Transport};
use crate::io::Interest;
use crate::reactor::{Direction, Done, Socket};

/// A connection, of which [`TcpStream`](super::TcpStream) is one kind and, on Unix,
/// [`UnixStream`](super::UnixStream) another.
///
/// Reading and writing take `&self`; several tasks may share a connection in an `Rc`, or take the
/// two [halves](Connection::into_split). It also implements futures-io's `AsyncRead` and
/// `AsyncWrite`, by value and by reference; there, at most one task can wait in each direction of
/// it, the last that polled.
///
/// A connection belongs to the loop that was running when it was made. After that loop's end its
/// operations give an error of kind `NotConnected`. Dropping it closes it.
///
/// A write to a connection that the peer has given up gives `BrokenPipe` or `ConnectionReset`; it
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
    /// Takes a connection of std's into the running loop, and makes it non-blocking.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub fn from_std(stream: T::StdStream) -> io::Result<Connection<T>> {
        Ok(Connection { end: Endpoint::from_std(stream, "from_std")? })
    }

    pub(super) fn new(socket: Socket<T::Stream>) -> Connection<T> {
        Connection { end: Endpoint::new(socket) }
    }

    /// Takes the connection out of the loop, as it came into it: blocking, unless `from_std` was
    /// given one that was not. (Windows does not tell: there it is blocking.)
    pub fn into_std(self) -> io::Result<T::StdStream> {
        self.end.into_std()
    }

    /// Reads what is there, at least a byte; 0 bytes mean that the peer has finished writing, or,
    /// once something is there, that `buf` is empty.
    ///
    /// # Cancel safety
    ///
    /// Nothing is read if the future is dropped before it completes.
    #[doc(alias = "sock_recv_into")]
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

    /// Fills `buf`.
    ///
    /// # Errors
    ///
    /// Kind `UnexpectedEof` if the stream ends before.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: what was read so far is in `buf`, but how much is not told. A
    /// [`StreamReader`](crate::streams::StreamReader) keeps it.
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

    /// Reads without taking: the next read gives the same bytes.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    #[doc(alias = "MSG_PEEK")]
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.end.io(Direction::Read, |io| io.peek(buf)).await
    }

    /// Writes some of `buf`, at least a byte unless it is empty.
    ///
    /// # Cancel safety
    ///
    /// Nothing is written if the future is dropped before it completes.
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.end.io(Direction::Write, |io| io.write(buf))
    }

    /// Writes some of several buffers at once.
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
    /// Not cancel safe: how much was written is not told. See
    /// [`write_all_buf`](Connection::write_all_buf).
    #[doc(alias = "sock_sendall")]
    pub fn write_all(&self, buf: &[u8]) -> impl Future<Output = io::Result<()>> {
        self.end.write_all(buf, |io, rest| io.write(rest))
    }

    /// Writes all of `buf`, and moves its begin along with what was written.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, `buf` is what is left to write.
    pub fn write_all_buf(&self, buf: &mut &[u8]) -> impl Future<Output = io::Result<()>> {
        self.end.write_all(buf, |io, rest| io.write(rest))
    }

    /// Waits until a read may give something, as far as is known: try it, by `try_read` or
    /// [`try_io`](Connection::try_io), and wait again if it gives `WouldBlock`.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
        self.end.socket.ready(Direction::Read)
    }

    /// Waits until a write may take something; see [`readable`](Connection::readable).
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> {
        self.end.socket.ready(Direction::Write)
    }

    /// The same as [`readable`](Connection::readable), as a `poll_` method. At most one task waits
    /// in it and in `AsyncRead`: the last that polled.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end.poll_ready(Direction::Read, cx)
    }

    /// The same as [`writable`](Connection::writable), as a `poll_` method. At most one task waits
    /// in it and in `AsyncWrite`: the last that polled.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end.poll_ready(Direction::Write, cx)
    }

    /// Runs an operation of the caller's own on the connection's descriptor, now, and again if a
    /// signal interrupts it. It must not wait.
    ///
    /// `interest` says what it waits for if it returns `WouldBlock`: then the next
    /// [`readable`](Connection::readable) or [`writable`](Connection::writable) waits for an event.
    /// An operation that goes past this method leaves them complete, and a loop over them spins.
    ///
    /// # Errors
    ///
    /// Those of `op`.
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

    /// Reads what is there without waiting.
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if nothing is there.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Read, |io| io.read(buf))
    }

    /// Writes what the system takes without waiting.
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if it takes nothing.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Write, |io| io.write(buf))
    }

    /// Writes what the system takes of several buffers without waiting.
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if it takes nothing.
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Write, |io| io.write_vectored(bufs))
    }

    /// Ends one or both directions (POSIX `shutdown`): the peer reads to its end what was written.
    #[doc(alias = "write_eof")]
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.end.get().shutdown(how)
    }

    /// The registration, for who brings its own operation to the funnel.
    pub(crate) fn socket(&self) -> &Socket<T::Stream> {
        &self.end.socket
    }

    /// One bare read, which is such an operation.
    pub(crate) fn receive(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
        self.end.get().read(buf)
    }

    /// The other end's address.
    #[doc(alias = "get_extra_info")]
    pub fn peer_addr(&self) -> io::Result<T::Addr> {
        self.end.get().peer_addr()
    }

    /// This end's address.
    #[doc(alias = "get_extra_info")]
    pub fn local_addr(&self) -> io::Result<T::Addr> {
        self.end.get().local_addr()
    }

    /// Takes the error that the system holds for this socket (SO_ERROR).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.end.get().take_error()
    }
}

impl<T: Transport> fmt::Debug for Connection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt(f)
    }
}
