//! The connection of a reader and a writer: TCP, a Unix socket, a pipe, or any other object.
//!
//! Invariant: only this file and the functions that create streams depend on the kind.

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};

use super::io_stream::{Addrs, IoStream};
use crate::current::read_buffer;
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
    /// Any other connection: see [`from_io`](super::from_io).
    Io(IoStream),
}

/// Evaluates one expression for both kinds of sockets, one for a pipe, and one for other objects.
macro_rules! each {
    (
        $socket:expr,
        $connection:ident => $result:expr,
        $pipe:ident => $of_pipe:expr,
        $io:ident => $of_io:expr
    ) => {
        match $socket {
            StreamSocket::Tcp($connection) => $result,
            #[cfg(unix)]
            StreamSocket::Unix($connection) => $result,
            #[cfg(unix)]
            StreamSocket::Pipe($pipe) => $of_pipe,
            StreamSocket::Io($io) => $of_io,
        }
    };
}

impl StreamSocket {
    /// Returns the TCP connection, if it is one.
    pub fn as_tcp(&self) -> Option<&TcpStream> {
        match self {
            StreamSocket::Tcp(tcp) => Some(tcp),
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

    /// Returns the connection of [`from_io`](super::from_io), if it is one.
    pub fn as_io(&self) -> Option<&IoStream> {
        match self {
            StreamSocket::Io(io) => Some(io),
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

    /// Takes the pending error of the socket (SO_ERROR). Only a socket has one.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        each!(self, connection => connection.take_error(), _pipe => Ok(None), _io => Ok(None))
    }

    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.addr(TcpStream::peer_addr, |addrs| addrs.peer)
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.addr(TcpStream::local_addr, |addrs| addrs.local)
    }

    /// Returns an address of the TCP connection, or of that on which the connection runs.
    fn addr(
        &self,
        of_tcp: fn(&TcpStream) -> io::Result<SocketAddr>,
        of_addrs: fn(&Addrs) -> SocketAddr,
    ) -> io::Result<SocketAddr> {
        match self {
            StreamSocket::Tcp(tcp) => of_tcp(tcp),
            StreamSocket::Io(io) => io.addrs.get().map(|it| of_addrs(it)).ok_or_else(not_tcp),
            #[cfg(unix)]
            StreamSocket::Unix(_) | StreamSocket::Pipe(_) => Err(not_tcp()),
        }
    }

    /// Lets the system probe an idle TCP connection.
    #[cfg(unix)]
    pub(super) fn set_keepalive(&self) {
        if let Some(tcp) = self.as_tcp() {
            // It fails only if the connection has ended already, which the first read reports.
            let _ = tcp.set_keepalive(true);
        }
    }

    /// Does nothing: `ServerOptions::check` refuses the option here.
    #[cfg(not(unix))]
    pub(super) fn set_keepalive(&self) {}

    pub(super) fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        each!(
            self,
            connection => connection.try_write(buf),
            _pipe => Err(read_only()),
            io => io.try_write(buf)
        )
    }

    pub(super) fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        each!(
            self,
            connection => connection.try_write_vectored(bufs),
            _pipe => Err(read_only()),
            io => io.try_write_vectored(bufs)
        )
    }

    /// Returns whether all written bytes have left the connection. Only an object that is no socket
    /// may buffer some.
    pub(super) fn is_flushed(&self) -> bool {
        self.as_io().is_none_or(IoStream::is_flushed)
    }

    /// Sends what the connection has buffered. Kind `WouldBlock` if it has to wait.
    pub(super) fn try_flush(&self) -> io::Result<()> {
        self.as_io().map_or(Ok(()), IoStream::try_flush)
    }

    /// Returns whether `shutdown` may return `WouldBlock`: the end of an object that is no socket
    /// may have to be sent.
    pub(super) fn ends_later(&self) -> bool {
        self.as_io().is_some()
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        each!(self, connection => connection.shutdown(how), _pipe => Ok(()), io => match how {
            Shutdown::Both => {
                io.close();
                Ok(())
            }
            _ => io.try_end(),
        })
    }

    /// Reads once, for [`Source::io`].
    pub(super) fn receive(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
        each!(
            self,
            connection => connection.receive(buf),
            pipe => pipe.receive(buf),
            io => io.receive(buf)
        )
    }

    /// Reads once into the spare capacity of `buf`, of at least one byte.
    pub(super) fn receive_into(&self, buf: &mut Vec<u8>) -> io::Result<Done<usize>> {
        each!(
            self,
            connection => connection.receive_into(buf),
            pipe => receive_shared(buf, |shared| pipe.receive(shared)),
            io => receive_shared(buf, |shared| io.receive(shared))
        )
    }

    pub(super) fn source(&self) -> &Source {
        each!(
            self,
            connection => connection.socket().source(),
            pipe => pipe.source(),
            io => io.source()
        )
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

/// Reads once into the buffer that the thread shares, and copies the bytes.
fn receive_shared(
    buf: &mut Vec<u8>,
    receive: impl FnOnce(&mut [u8]) -> io::Result<Done<usize>>,
) -> io::Result<Done<usize>> {
    read_buffer::with_buffer(|shared| {
        let done = receive(shared)?;
        buf.extend_from_slice(&shared[..done.value]);
        Ok(done)
    })
}

fn not_tcp() -> io::Error {
    let text = "only a TCP connection has IP addresses: for a Unix socket, use get_ref().as_unix()";
    io::Error::new(io::ErrorKind::Unsupported, text)
}

#[cfg(unix)]
fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "the read end of a pipe cannot be written to")
}
