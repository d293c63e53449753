//! The TCP stream. Layer L4.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{self, Shutdown, SocketAddr};

use super::connection::Connection;
use super::system;
use super::transport::{Accept, Sealed, StreamIo, Transport, done, done_bytes};
use crate::reactor::Done;
use crate::sys::{
    peek_bytes, receive_bytes, receive_into, receive_vectored, send_bytes, send_vectored,
};

/// The [`Transport`] of [`TcpStream`] and [`TcpListener`](super::TcpListener).
#[derive(Debug)]
pub enum Tcp {}

/// A TCP connection.
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
pub type TcpStream = Connection<Tcp>;

impl TcpStream {
    /// Sets whether small writes are sent at once, without Nagle's algorithm (TCP_NODELAY).
    #[doc(alias = "setsockopt")]
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.end.get().set_nodelay(nodelay)
    }

    /// Returns whether small writes are sent at once; see [`set_nodelay`](TcpStream::set_nodelay).
    pub fn nodelay(&self) -> io::Result<bool> {
        self.end.get().nodelay()
    }

    /// Sets the number of routers that a packet may pass (IP_TTL).
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.end.get().set_ttl(ttl)
    }

    /// Returns the number of routers that a packet may pass; see [`set_ttl`](TcpStream::set_ttl).
    pub fn ttl(&self) -> io::Result<u32> {
        self.end.get().ttl()
    }
}

impl Transport for Tcp {}

impl Sealed for Tcp {
    const FROM_STREAM: &'static str = "TcpStream::from_std";
    const FROM_LISTENER: &'static str = "TcpListener::from_std";
    type Addr = SocketAddr;
    type StdStream = net::TcpStream;
    type StdListener = net::TcpListener;
    type Stream = system::TcpStream;
    type Listener = system::TcpListener;

    fn ip_addr(addr: &SocketAddr) -> Option<SocketAddr> {
        Some(*addr)
    }
}

impl StreamIo for mio::net::TcpStream {
    type Addr = SocketAddr;

    fn read(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
        done_bytes(self.try_io(|| receive_bytes(self, buf)), buf.len())
    }

    fn read_into(&self, buf: &mut Vec<u8>) -> io::Result<Done<usize>> {
        let spare = buf.capacity() - buf.len();
        done_bytes(receive_into(self, buf), spare)
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

    #[cfg(feature = "hyper")]
    fn send_at_once(&self) {
        let _ = self.set_nodelay(true);
    }

    fn try_io<R>(&self, op: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.try_io(op)
    }
}

impl Accept for mio::net::TcpListener {
    type Addr = SocketAddr;
    type Stream = mio::net::TcpStream;

    fn accept(&self) -> io::Result<(mio::net::TcpStream, SocketAddr)> {
        self.accept()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}
