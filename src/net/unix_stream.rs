//! A connection between two processes of one machine.

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use mio::net::{UnixListener as MioListener, UnixStream as MioStream};
use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, recv, recvmsg, send};

use super::connection::Connection;
use super::transport::{Accept, Bytes, Sealed, Transport, counted, whole};
use super::unix_path::{address, failure, retry_when_full};
use crate::context;
use crate::current::budget;
use crate::reactor::{Done, Socket};
use crate::sys::{NO_SIGNAL, send_vectored};

/// The kind of connection that goes by a Unix socket.
#[derive(Debug)]
pub enum Unix {}

/// A connection by a Unix socket.
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

/// Who is at the other end, by the system's word: [`UnixStream::peer_cred`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerCred {
    /// The number of the user.
    pub uid: u32,
    /// The number of the group.
    pub gid: u32,
    /// The number of the process, if the system tells.
    pub pid: Option<i32>,
}

impl UnixStream {
    /// Connects to a listener by its path. On Linux, `"\0name"` is the abstract name `name`.
    ///
    /// Waits while the listener has as many connections as it holds ahead of its `accept`.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if the path is too long (107 bytes on Linux); `NotFound` if there is no
    /// such file, `ConnectionRefused` if nobody listens there; others as the system says.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the attempt.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "create_unix_connection")]
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&address(path.as_ref())?).await
    }

    /// Connects to an address; see [`connect`](UnixStream::connect).
    ///
    /// # Errors
    ///
    /// As [`connect`](UnixStream::connect).
    pub async fn connect_addr(addr: &SocketAddr) -> io::Result<UnixStream> {
        budget::unit().await;
        // A listener that is full tells nobody when it has room again.
        match retry_when_full(|| MioStream::connect_addr(addr)).await {
            Ok(stream) => UnixStream::from_mio(stream),
            Err(error) => Err(failure("connect to", addr, error)),
        }
    }

    /// Whether the system refuses a connection at once: the file is there, but no socket listens.
    /// A listener whose queue is full refuses none.
    pub(crate) fn is_refused_at(path: &Path) -> bool {
        let attempt = MioStream::connect(path);
        attempt.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    }

    /// Two ends of a new connection.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "socketpair")]
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, other) = MioStream::pair()?;
        Ok((UnixStream::from_mio(one)?, UnixStream::from_mio(other)?))
    }

    /// Who made the other end: who connected, or who listens.
    ///
    /// # Errors
    ///
    /// Kind `Unsupported` on systems other than Linux.
    #[doc(alias = "SO_PEERCRED")]
    pub fn peer_cred(&self) -> io::Result<PeerCred> {
        peer_cred(self.end.get())
    }

    fn from_mio(stream: MioStream) -> io::Result<UnixStream> {
        let reactor = context::expect("making a UnixStream").reactor.clone();
        Ok(Connection::new(Socket::new(stream, reactor, true)?))
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn peer_cred(io: &MioStream) -> io::Result<PeerCred> {
    let cred = rustix::net::sockopt::socket_peercred(io)?;
    let pid = Some(cred.pid.as_raw_nonzero().get());
    Ok(PeerCred { uid: cred.uid.as_raw(), gid: cred.gid.as_raw(), pid })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn peer_cred(_: &MioStream) -> io::Result<PeerCred> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux tells who the peer is"))
}

impl Transport for Unix {}

impl Sealed for Unix {
    type Addr = SocketAddr;
    type StdStream = net::UnixStream;
    type StdListener = net::UnixListener;
    type Stream = MioStream;
    type Listener = MioListener;
}

impl Bytes for MioStream {
    type Addr = SocketAddr;

    fn read(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
        let room = buf.len();
        let (bufs, mut no_control) = (&mut [IoSliceMut::new(buf)], RecvAncillaryBuffer::default());
        let flags = RecvFlags::empty();
        let received = self.try_io(|| Ok(recvmsg(self, bufs, &mut no_control, flags)?))?;
        let done = counted(Ok(received.bytes), room)?;
        // A descriptor that was sent along is not taken, but it ends the read: there may be more.
        let was_cut = received.flags.contains(ReturnFlags::CTRUNC);
        Ok(Done { short: done.short && !was_cut, ..done })
    }

    fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Done<usize>> {
        whole(Read::read_vectored(&mut &*self, bufs))
    }

    fn peek(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
        whole(self.try_io(|| Ok(recv(self, buf, RecvFlags::PEEK)?.1)))
    }

    fn write(&self, buf: &[u8]) -> io::Result<Done<usize>> {
        counted(self.try_io(|| Ok(send(self, buf, NO_SIGNAL)?)), buf.len())
    }

    fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<Done<usize>> {
        whole(self.try_io(|| send_vectored(self, bufs)))
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
