//! A TCP connection.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{self, Shutdown, SocketAddr};
use std::task::{Context, Poll};

use super::tcp_ops::{read, read_vectored, whole, write, write_vectored};
use crate::context;
use crate::reactor::Socket;
use crate::source::{Direction, Done, WaiterKey};

/// A TCP connection.
///
/// Reading and writing take `&self`; several tasks may share a stream in an `Rc`, or take the two
/// [halves](TcpStream::into_split). It also implements futures-io's `AsyncRead` and `AsyncWrite`,
/// by value and by reference; there, at most one task can wait in each direction of a stream, the
/// last that polled.
///
/// A stream belongs to the loop that was running when it was made. After that loop's end its
/// operations give an error of kind `NotConnected`. Dropping it closes the connection.
///
/// A write to a connection that the peer has reset gives `BrokenPipe` or `ConnectionReset`; it
/// never raises SIGPIPE.
///
/// ```
/// use evloop::net::{TcpListener, TcpStream};
///
/// evloop::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let stream = TcpStream::connect(listener.local_addr()?).await?;
///     let (peer, _) = listener.accept().await?;
///     stream.write_all(b"hello").await?;
///     let mut buf = [0; 5];
///     peer.read_exact(&mut buf).await?;
///     assert_eq!(&buf, b"hello");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub struct TcpStream {
    socket: Socket<mio::net::TcpStream>,
    /// The places of the `poll_` methods among the waiters: one in each direction.
    polled_read: Cell<WaiterKey>,
    polled_write: Cell<WaiterKey>,
}

impl TcpStream {
    /// Takes a stream of std's into the running loop, and makes it non-blocking.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub fn from_std(stream: net::TcpStream) -> io::Result<TcpStream> {
        stream.set_nonblocking(true)?;
        let reactor = context::expect("TcpStream::from_std").reactor.clone();
        let socket = Socket::new(mio::net::TcpStream::from_std(stream), reactor, true)?;
        Ok(TcpStream::new(socket))
    }

    pub(super) fn new(socket: Socket<mio::net::TcpStream>) -> TcpStream {
        TcpStream { socket, polled_read: Cell::default(), polled_write: Cell::default() }
    }

    /// Takes the stream out of the loop. It is blocking again.
    pub fn into_std(self) -> io::Result<net::TcpStream> {
        let stream = net::TcpStream::from(self.socket.into_inner()?);
        stream.set_nonblocking(false)?;
        Ok(stream)
    }

    /// Reads what is there, at least a byte; 0 bytes mean that the peer has finished writing, or,
    /// once something is there, that `buf` is empty.
    ///
    /// # Cancel safety
    ///
    /// Nothing is read if the future is dropped before it completes.
    #[doc(alias = "sock_recv_into")]
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.socket.io(Direction::Read, |io| read(io, buf))
    }

    /// Reads into several buffers at once, as [`read`](TcpStream::read) does.
    ///
    /// # Cancel safety
    ///
    /// Nothing is read if the future is dropped before it completes.
    #[doc(alias = "readv")]
    pub async fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.socket.io(Direction::Read, |io| read_vectored(io, bufs)).await
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
        self.socket.io(Direction::Read, |io| whole(io.peek(buf))).await
    }

    /// Writes some of `buf`, at least a byte unless it is empty.
    ///
    /// # Cancel safety
    ///
    /// Nothing is written if the future is dropped before it completes.
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.socket.io(Direction::Write, |io| write(io, buf))
    }

    /// Writes some of several buffers at once.
    ///
    /// # Cancel safety
    ///
    /// Nothing is written if the future is dropped before it completes.
    #[doc(alias = "writev")]
    pub async fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.io(Direction::Write, |io| write_vectored(io, bufs)).await
    }

    /// Writes all of `buf`.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: how much was written is not told. See
    /// [`write_all_buf`](TcpStream::write_all_buf).
    #[doc(alias = "sock_sendall")]
    pub async fn write_all(&self, mut buf: &[u8]) -> io::Result<()> {
        self.write_all_buf(&mut buf).await
    }

    /// Writes all of `buf`, and moves its begin along with what was written.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, `buf` is what is left to write.
    pub async fn write_all_buf(&self, buf: &mut &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            match self.write(buf).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => *buf = &buf[n..],
            }
        }
        Ok(())
    }

    /// Waits until a read may give something, as far as is known: try it, and wait again if it
    /// gives `WouldBlock`.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.ready(Direction::Read).await
    }

    /// Waits until a write may take something; see [`readable`](TcpStream::readable).
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub async fn writable(&self) -> io::Result<()> {
        self.socket.ready(Direction::Write).await
    }

    /// Reads what is there without waiting.
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if nothing is there.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket.attempt(Direction::Read, |io| read(io, buf))
    }

    /// Writes what the system takes without waiting.
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if it takes nothing.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.socket.attempt(Direction::Write, |io| write(io, buf))
    }

    /// Ends one or both directions (POSIX `shutdown`): the peer reads to its end what was written.
    #[doc(alias = "write_eof")]
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.get().shutdown(how)
    }

    /// Whether small writes go out at once instead of being gathered (TCP_NODELAY).
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.get().set_nodelay(nodelay)
    }

    /// See [`set_nodelay`](TcpStream::set_nodelay).
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket.get().nodelay()
    }

    /// How many routers a packet may pass.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.get().set_ttl(ttl)
    }

    /// The other end's address.
    #[doc(alias = "get_extra_info")]
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().peer_addr()
    }

    /// This end's address.
    #[doc(alias = "get_extra_info")]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().local_addr()
    }

    /// Takes the error that the system holds for this socket (SO_ERROR).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.get().take_error()
    }

    pub(super) fn io(&self) -> &mio::net::TcpStream {
        self.socket.get()
    }

    pub(super) fn poll_io<T>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        op: impl FnMut(&mio::net::TcpStream) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        let key = match direction {
            Direction::Read => &self.polled_read,
            Direction::Write => &self.polled_write,
        };
        let mut place = key.get();
        let polled = self.socket.poll_io(direction, cx, &mut place, op);
        if polled.is_ready() {
            self.socket.leave(direction, &mut place);
        }
        key.set(place);
        polled
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.get().fmt(f)
    }
}
