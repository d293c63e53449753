//! Unix connections and their listener. Layer L4.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::rc::Rc;

use mio::net::{UnixListener as MioListener, UnixStream as MioStream};
use rustix::buffer::spare_capacity;
use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, recv, recvmsg};

use super::connection::Connection;
use super::endpoint::Endpoint;
use super::listener::Listener;
use super::system;
use super::transport::{Accept, Sealed, StreamIo, Transport, done, done_bytes};
use super::unix_path::{address_error, parse_address, retry_when_full};
use crate::context::{self, Context};
use crate::current::budget;
use crate::reactor::{Done, Reactor};
use crate::sys::{peek_bytes, receive_vectored, send_bytes, send_vectored};
use crate::world;

/// The [`Transport`] and [`Protocol`](super::Protocol) of the Unix sockets.
#[derive(Debug)]
pub enum Unix {}

/// A connection between two processes of one machine, through a Unix socket.
///
/// ```
/// use evloop::net::UnixStream;
///
/// evloop::block_on(async {
///     let (one, other) = UnixStream::pair()?;
///     one.write_all(b"hello").await?;
///     let mut buf = [0; 5];
///     other.read_exact(&mut buf).await?;
///     assert_eq!(&buf, b"hello");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub type UnixStream = Connection<Unix>;

/// A Unix socket that accepts connections.
///
/// Dropping it does not remove its file. The caller of [`bind`](UnixListener::bind) removes the
/// file.
///
/// ```
/// use evloop::net::{UnixListener, UnixStream};
///
/// # let dir = std::env::temp_dir().join(format!("evloop-doc-listener-{}", std::process::id()));
/// # std::fs::create_dir(&dir).unwrap();
/// evloop::block_on(async {
///     let path = dir.join("socket");
///     let listener = UnixListener::bind(&path)?;
///     let _client = UnixStream::connect(&path).await?;
///     let (stream, _) = listener.accept().await?;
///     stream.write_all(b"hello").await?;
///     std::fs::remove_file(path)
/// }).unwrap();
/// # std::fs::remove_dir(&dir).unwrap();
/// ```
pub type UnixListener = Listener<Unix>;

/// The credentials of the peer process, as the system reports them: [`UnixStream::peer_cred`].
///
#[cfg_attr(any(target_os = "linux", target_os = "android"), doc = "```")]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), doc = "```no_run")]
/// evloop::block_on(async {
///     let (one, _other) = evloop::net::UnixStream::pair()?;
///     assert_eq!(one.peer_cred()?.pid, Some(std::process::id() as i32));
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerCred {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// The process id, if the system reports it.
    pub pid: Option<i32>,
}

impl UnixStream {
    /// Connects to a listener by its path. On Linux, `"\0name"` is the abstract name `name`.
    ///
    /// Waits while the backlog of the listener is full.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if the path is too long (more than 107 bytes on Linux). `NotFound` if
    /// there is no such file. `ConnectionRefused` if no socket listens there. The system's error
    /// otherwise.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "create_unix_connection")]
    #[doc(alias = "open_unix_socket")]
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&parse_address(path.as_ref())?).await
    }

    /// Connects to an address; see [`connect`](UnixStream::connect).
    ///
    /// # Errors
    ///
    /// As [`connect`](UnixStream::connect).
    pub async fn connect_addr(addr: &SocketAddr) -> io::Result<UnixStream> {
        let context = context::expect("UnixStream::connect");
        budget::unit().await;
        // The system reports no event when a full backlog has capacity again.
        match retry_when_full(|| system::connect_unix(addr)).await {
            Ok(stream) => UnixStream::from_mio(stream, &context.reactor),
            Err(error) => Err(address_error("connect to", addr, error)),
        }
    }

    /// Returns whether the system refuses a connection at once: the file exists, but no socket
    /// listens. A listener with a full backlog does not refuse.
    pub(crate) fn is_refused_at(path: &Path) -> bool {
        let attempt = parse_address(path).and_then(|addr| system::connect_unix(&addr));
        attempt.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    }

    /// Makes a connection, and returns its two ends.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "socketpair")]
    #[track_caller]
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let reactor = &context::expect("UnixStream::pair").reactor;
        let (one, other) = system::unix_pair()?;
        Ok((UnixStream::from_mio(one, reactor)?, UnixStream::from_mio(other, reactor)?))
    }

    /// Returns the credentials of the process that connected, or of the process that listens.
    ///
    /// # Errors
    ///
    /// Kind `Unsupported` on systems other than Linux.
    #[doc(alias = "SO_PEERCRED")]
    pub fn peer_cred(&self) -> io::Result<PeerCred> {
        world::check_outside("`peer_cred`")?;
        peer_cred(self.end.get())
    }

    pub(super) fn from_mio(
        stream: system::UnixStream,
        reactor: &Rc<Reactor>,
    ) -> io::Result<UnixStream> {
        Ok(Connection { end: Endpoint::register(stream, reactor)? })
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn peer_cred(io: &system::UnixStream) -> io::Result<PeerCred> {
    let cred = rustix::net::sockopt::socket_peercred(io)?;
    let pid = Some(cred.pid.as_raw_nonzero().get());
    Ok(PeerCred { uid: cred.uid.as_raw(), gid: cred.gid.as_raw(), pid })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn peer_cred(_: &system::UnixStream) -> io::Result<PeerCred> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "only Linux reports the credentials of the peer",
    ))
}

impl Transport for Unix {}

impl Sealed for Unix {
    const FROM_STREAM: &'static str = "UnixStream::from_std";
    const FROM_LISTENER: &'static str = "UnixListener::from_std";
    type Addr = SocketAddr;
    type StdStream = net::UnixStream;
    type StdListener = net::UnixListener;
    type Stream = system::UnixStream;
    type Listener = system::UnixListener;

    fn ip_addr(_addr: &SocketAddr) -> Option<std::net::SocketAddr> {
        None
    }
}

impl StreamIo for MioStream {
    type Addr = SocketAddr;

    fn read(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
        let capacity = buf.len();
        let (bufs, mut no_control) = (&mut [IoSliceMut::new(buf)], RecvAncillaryBuffer::default());
        let flags = RecvFlags::empty();
        let received = self.try_io(|| Ok(recvmsg(self, bufs, &mut no_control, flags)?))?;
        let done = done_bytes(Ok(received.bytes), capacity)?;
        // A descriptor sent along is discarded, but it ends the read: more bytes may be available.
        let is_control_truncated = received.flags.contains(ReturnFlags::CTRUNC);
        Ok(Done { short: done.short && !is_control_truncated, ..done })
    }

    fn read_into(&self, buf: &mut Vec<u8>) -> io::Result<Done<usize>> {
        // A short count proves nothing: see `read`.
        done(self.try_io(|| Ok(recv(self, spare_capacity(buf), RecvFlags::empty())?.0)))
    }

    fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Done<usize>> {
        done(self.try_io(|| receive_vectored(self, bufs)))
    }

    fn peek(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
        done(self.try_io(|| peek_bytes(self, buf)))
    }

    fn write(&self, buf: &[u8]) -> io::Result<Done<usize>> {
        done_bytes(self.try_io(|| send_bytes(self, buf)), buf.len())
    }

    fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<Done<usize>> {
        done(self.try_io(|| send_vectored(self, bufs)))
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.take_error()
    }

    fn try_io<R>(&self, op: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.try_io(op)
    }
}

impl Accept for MioListener {
    type Addr = SocketAddr;
    type Stream = MioStream;

    fn accept(&self) -> io::Result<(MioStream, SocketAddr)> {
        self.accept()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}

impl UnixListener {
    /// Listens on a path, where the system makes a file. On Linux, `"\0name"` is the abstract name
    /// `name`: it has no file, and it ends with its last socket.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if the path is too long (more than 107 bytes on Linux). `AddrInUse` if
    /// the file exists, also if the server that made it has ended. The system's error otherwise:
    /// `NotFound`, `PermissionDenied` and others.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "create_unix_server")]
    #[track_caller]
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixListener> {
        UnixListener::bind_on(
            &parse_address(path.as_ref())?,
            &context::expect("UnixListener::bind"),
        )
    }

    /// Listens on an address; see [`bind`](UnixListener::bind).
    ///
    /// # Errors
    ///
    /// As [`bind`](UnixListener::bind).
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[track_caller]
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<UnixListener> {
        UnixListener::bind_on(addr, &context::expect("UnixListener::bind_addr"))
    }

    /// Takes the loop as an argument: a panic of a caller outside of a loop leaves no file behind.
    fn bind_on(addr: &SocketAddr, context: &Context) -> io::Result<UnixListener> {
        let bound = system::listen_unix(addr);
        let listener = bound.map_err(|error| address_error("listen on", addr, error))?;
        UnixListener::from_mio(listener, &context.reactor)
    }
}
