//! A Unix socket before it is bound, connects or listens. Layer L4.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::SocketAddr;
use std::path::Path;

use rustix::net::sockopt::socket_type;
use rustix::net::{AddressFamily, SocketType};

use super::listener::Listener;
use super::unix_datagram::UnixDatagram;
use super::unix_path::{address_error, from_raw, parse_address, retry_when_full, to_raw};
use super::unix_stream::{UnixListener, UnixStream};
use crate::context;
use crate::current::budget;
use crate::sys;
use crate::world;

/// A Unix socket that is neither connected nor listening: for a client with an address of its own,
/// and for options that must be set before.
///
/// On Linux a path that begins with a NUL, as `"\0name"`, is an abstract name: see
/// [`UnixListener::bind`]. Options are set through [`AsFd`].
///
/// ```
/// use evloop::net::UnixSocket;
///
/// # let dir = std::env::temp_dir().join(format!("evloop-doc-socket-{}", std::process::id()));
/// # std::fs::create_dir(&dir).unwrap();
/// evloop::block_on(async {
///     let socket = UnixSocket::new_stream()?;
///     socket.bind(dir.join("server"))?;
///     let listener = socket.listen(16)?;
///
///     let socket = UnixSocket::new_stream()?;
///     socket.bind(dir.join("client"))?;
///     let _client = socket.connect(dir.join("server")).await?;
///     let (_stream, peer) = listener.accept().await?;
///     assert_eq!(peer.as_pathname(), Some(dir.join("client").as_path()));
///     std::io::Result::Ok(())
/// }).unwrap();
/// # std::fs::remove_dir_all(&dir).unwrap();
/// ```
#[derive(Debug)]
pub struct UnixSocket {
    fd: OwnedFd,
}

impl UnixSocket {
    /// Makes a socket for connections (SOCK_STREAM). It needs no running loop.
    pub fn new_stream() -> io::Result<UnixSocket> {
        world::check_outside("a UnixSocket")?;
        Ok(UnixSocket { fd: sys::open(AddressFamily::UNIX, SocketType::STREAM)? })
    }

    /// Makes a socket for datagrams (SOCK_DGRAM). It needs no running loop.
    pub fn new_datagram() -> io::Result<UnixSocket> {
        world::check_outside("a UnixSocket")?;
        Ok(UnixSocket { fd: sys::open(AddressFamily::UNIX, SocketType::DGRAM)? })
    }

    /// Sets the local address: a path, where the system makes a file.
    ///
    /// # Errors
    ///
    /// As [`UnixListener::bind`].
    pub fn bind(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let addr = parse_address(path.as_ref())?;
        let bound = rustix::net::bind(self, &to_raw(&addr)?);
        bound.map_err(|errno| address_error("bind to", &addr, errno.into()))
    }

    /// Connects to a listener by its path. Waits while the backlog of the listener is full.
    ///
    /// # Errors
    ///
    /// As [`UnixStream::connect`]. Kind `InvalidInput` for a datagram socket.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the socket.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub async fn connect(self, path: impl AsRef<Path>) -> io::Result<UnixStream> {
        let context = context::expect("UnixSocket::connect");
        budget::unit().await;
        self.check_type(SocketType::STREAM, "connect", "datagram")?;
        let addr = parse_address(path.as_ref())?;
        let raw = to_raw(&addr)?;
        let fd = sys::with_nonblocking(self.fd, true)?;
        // The system reports no event when a full backlog has capacity again.
        match retry_when_full(|| Ok(rustix::net::connect(&fd, &raw)?)).await {
            Ok(()) => UnixStream::from_mio(fd.into(), &context.reactor),
            Err(error) => Err(address_error("connect to", &addr, error)),
        }
    }

    /// Listens on the address of [`bind`](UnixSocket::bind); see
    /// [`TcpSocket::listen`](super::TcpSocket::listen).
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` for a datagram socket, and for a socket that is not bound. The system's
    /// error otherwise.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[track_caller]
    pub fn listen(self, backlog: u32) -> io::Result<UnixListener> {
        let context = context::expect("UnixSocket::listen");
        self.check_type(SocketType::STREAM, "listen", "datagram")?;
        if let Err(errno) = rustix::net::listen(&self, i32::try_from(backlog).unwrap_or(i32::MAX)) {
            return Err(address_error("listen on", &self.local_addr()?, errno.into()));
        }
        Listener::register(self.fd.into(), &context.reactor)
    }

    /// Registers a datagram socket with the running loop.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` for a socket of [`new_stream`](UnixSocket::new_stream).
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[track_caller]
    pub fn datagram(self) -> io::Result<UnixDatagram> {
        let context = context::expect("UnixSocket::datagram");
        self.check_type(SocketType::DGRAM, "datagram", "listen or connect")?;
        let fd = sys::with_nonblocking(self.fd, true)?;
        UnixDatagram::from_mio(fd.into(), &context.reactor)
    }

    /// Returns the local address.
    #[doc(alias = "getsockname")]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        from_raw(Some(rustix::net::getsockname(self)?))
    }

    /// Returns an error if the socket is not of the type that `operation` needs.
    fn check_type(&self, wanted: SocketType, operation: &str, other: &str) -> io::Result<()> {
        if socket_type(self)? == wanted {
            return Ok(());
        }
        let sentence =
            format!("UnixSocket::{operation} is not for this type of socket: call {other} instead");
        Err(io::Error::new(io::ErrorKind::InvalidInput, sentence))
    }
}

impl From<OwnedFd> for UnixSocket {
    fn from(fd: OwnedFd) -> UnixSocket {
        UnixSocket { fd }
    }
}

impl From<UnixSocket> for OwnedFd {
    fn from(socket: UnixSocket) -> OwnedFd {
        socket.fd
    }
}

impl AsFd for UnixSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
