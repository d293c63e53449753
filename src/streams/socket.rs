//! The connection of a reader and a writer: TCP, a Unix socket or a pipe.
//!
//! Invariant: only this file and the functions that create streams depend on the kind.

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};

use crate::net::TcpStream;
#[cfg(unix)]
use crate::net::UnixStream;
#[cfg(unix)]
use crate::net::pipe::Receiver;
use crate::reactor::{Direction, Done, Source};

/// The connection of a [`StreamReader`](super::StreamReader) and a
/// [`StreamWriter`](super::StreamWriter): asyncio's transport.
///
/// ```
/// use evloop::net::TcpListener;
///
/// evloop::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let (_reader, writer) = evloop::open_connection(listener.local_addr()?).await?;
///     let tcp = writer.get_ref().as_tcp().expect("a TCP connection");
///     assert!(tcp.nodelay()?);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum StreamSocket {
    /// A TCP connection.
    Tcp(TcpStream),
    /// A connection of a Unix socket.
    #[cfg(unix)]
    Unix(UnixStream),
    /// The read end of a pipe.
    #[cfg(unix)]
    Pipe(Receiver),
}

/// Evaluates one expression for both kinds of sockets, and another for a pipe.
macro_rules! each {
    ($socket:expr, $connection:ident => $result:expr, $pipe:ident => $of_pipe:expr) => {
        match $socket {
            StreamSocket::Tcp($connection) => $result,
            #[cfg(unix)]
            StreamSocket::Unix($connection) => $result,
            #[cfg(unix)]
            StreamSocket::Pipe($pipe) => $of_pipe,
        }
    };
}

impl StreamSocket {
    /// Returns the TCP connection, if it is one.
    pub fn as_tcp(&self) -> Option<&TcpStream> {
        match self {
            StreamSocket::Tcp(tcp) => Some(tcp),
            #[cfg(unix)]
            _ => None,
        }
    }

    /// Returns the connection of a Unix socket, if it is one.
    #[cfg(unix)]
    pub fn as_unix(&self) -> Option<&UnixStream> {
        match self {
            StreamSocket::Unix(unix) => Some(unix),
            _ => None,
        }
    }

    /// Returns the pipe, if it is one.
    #[cfg(unix)]
    pub fn as_pipe(&self) -> Option<&Receiver> {
        match self {
            StreamSocket::Pipe(pipe) => Some(pipe),
            _ => None,
        }
    }

    /// Waits until the connection may be readable. A read may still return `WouldBlock`.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
        self.source().ready(Direction::Read)
    }

    /// Waits until the connection may be writable. A write may still return `WouldBlock`.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> {
        self.source().ready(Direction::Write)
    }

    /// Takes the pending error of the socket (SO_ERROR); a pipe has none.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        each!(self, connection => connection.take_error(), _pipe => Ok(None))
    }

    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.as_tcp().ok_or_else(not_tcp)?.peer_addr()
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.as_tcp().ok_or_else(not_tcp)?.local_addr()
    }

    pub(super) fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        each!(self, connection => connection.try_write(buf), _pipe => Err(read_only()))
    }

    pub(super) fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        each!(self, connection => connection.try_write_vectored(bufs), _pipe => Err(read_only()))
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        each!(self, connection => connection.shutdown(how), _pipe => Ok(()))
    }

    /// Reads once, for [`Source::io`].
    pub(super) fn receive(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
        each!(self, connection => connection.receive(buf), pipe => pipe.receive(buf))
    }

    pub(super) fn source(&self) -> &Source {
        each!(self, connection => connection.socket().source(), pipe => pipe.source())
    }
}

impl From<TcpStream> for StreamSocket {
    fn from(tcp: TcpStream) -> StreamSocket {
        // It fails only if the connection has ended already, which the first read reports.
        let _ = tcp.set_nodelay(true);
        StreamSocket::Tcp(tcp)
    }
}

#[cfg(unix)]
impl From<UnixStream> for StreamSocket {
    fn from(unix: UnixStream) -> StreamSocket {
        StreamSocket::Unix(unix)
    }
}

fn not_tcp() -> io::Error {
    let text = "only a TCP connection has IP addresses: for a Unix socket, use get_ref().as_unix()";
    io::Error::new(io::ErrorKind::Unsupported, text)
}

#[cfg(unix)]
fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "the read end of a pipe cannot be written to")
}

#[cfg(unix)]
impl AsFd for StreamSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        each!(self, connection => connection.as_fd(), pipe => pipe.as_fd())
    }
}
