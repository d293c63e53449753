//! The connection behind a reader and a writer, of whatever kind.
//!
//! Invariant: which kind it is matters here and in who makes the streams, nowhere else.

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};

use crate::net::TcpStream;
#[cfg(unix)]
use crate::net::UnixStream;
use crate::source::{Direction, Done, Source};

/// The connection behind a [`StreamReader`](super::StreamReader) and a
/// [`StreamWriter`](super::StreamWriter): asyncio's transport.
///
/// ```
/// use evloop::net::TcpListener;
///
/// evloop::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let (_reader, writer) = evloop::open_connection(listener.local_addr()?).await?;
///     let tcp = writer.get_ref().as_tcp().expect("it goes by TCP");
///     assert!(tcp.nodelay()?);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[derive(Debug)]
#[non_exhaustive]
#[doc(alias = "Transport")]
pub enum StreamSocket {
    /// By TCP.
    Tcp(TcpStream),
    /// By a Unix socket.
    #[cfg(unix)]
    Unix(UnixStream),
}

/// The same expression for each kind of connection.
macro_rules! each {
    ($socket:expr, $connection:ident => $result:expr) => {
        match $socket {
            StreamSocket::Tcp($connection) => $result,
            #[cfg(unix)]
            StreamSocket::Unix($connection) => $result,
        }
    };
}

impl StreamSocket {
    /// The TCP connection, if it is one.
    pub fn as_tcp(&self) -> Option<&TcpStream> {
        match self {
            StreamSocket::Tcp(tcp) => Some(tcp),
            #[cfg(unix)]
            StreamSocket::Unix(_) => None,
        }
    }

    /// The connection by a Unix socket, if it is one.
    #[cfg(unix)]
    pub fn as_unix(&self) -> Option<&UnixStream> {
        match self {
            StreamSocket::Unix(unix) => Some(unix),
            StreamSocket::Tcp(_) => None,
        }
    }

    /// Waits until a read may give something, as far as is known.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub async fn readable(&self) -> io::Result<()> {
        self.source().ready(Direction::Read).await
    }

    /// Waits until a write may take something, as far as is known.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub async fn writable(&self) -> io::Result<()> {
        self.source().ready(Direction::Write).await
    }

    /// Takes the error that the system holds for the socket (SO_ERROR).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        each!(self, connection => connection.take_error())
    }

    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.as_tcp().ok_or_else(no_tcp)?.peer_addr()
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.as_tcp().ok_or_else(no_tcp)?.local_addr()
    }

    pub(super) fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        each!(self, connection => connection.try_write(buf))
    }

    pub(super) fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        each!(self, connection => connection.try_write_vectored(bufs))
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        each!(self, connection => connection.shutdown(how))
    }

    /// Reads once, for the funnel.
    pub(super) fn receive(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
        each!(self, connection => connection.receive(buf))
    }

    pub(super) fn source(&self) -> &Source {
        each!(self, connection => connection.socket().source())
    }
}

impl From<TcpStream> for StreamSocket {
    fn from(tcp: TcpStream) -> StreamSocket {
        // It fails only for a connection that is gone already, which the first read tells.
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

fn no_tcp() -> io::Error {
    let words = "a Unix socket has no IP address: ask get_ref().as_unix() for its own";
    io::Error::new(io::ErrorKind::Unsupported, words)
}

#[cfg(unix)]
impl AsFd for StreamSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        each!(self, connection => connection.as_fd())
    }
}
