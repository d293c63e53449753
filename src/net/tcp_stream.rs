//! A TCP connection.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{self, Shutdown, SocketAddr};

use super::connection::Connection;
use super::transport::{Accept, Bytes, Sealed, Transport, counted, whole};
use crate::reactor::Done;
use crate::sys::send_vectored;

/// The kind of connection that goes by TCP.
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
    /// Whether small writes go out at once instead of being gathered (TCP_NODELAY).
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.end.get().set_nodelay(nodelay)
    }

    /// See [`set_nodelay`](TcpStream::set_nodelay).
    pub fn nodelay(&self) -> io::Result<bool> {
        self.end.get().nodelay()
    }

    /// How many routers a packet may pass.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.end.get().set_ttl(ttl)
    }
}

impl Transport for Tcp {}

impl Sealed for Tcp {
    type Addr = SocketAddr;
    type StdStream = net::TcpStream;
    type StdListener = net::TcpListener;
    type Stream = mio::net::TcpStream;
    type Listener = mio::net::TcpListener;
}

impl Bytes for mio::net::TcpStream {
    type Addr = SocketAddr;

    fn read(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
        counted(Read::read(&mut &*self, buf), buf.len())
    }

    fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Done<usize>> {
        whole(Read::read_vectored(&mut &*self, bufs))
    }

    fn peek(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
        whole(self.peek(buf))
    }

    fn write(&self, buf: &[u8]) -> io::Result<Done<usize>> {
        counted(Write::write(&mut &*self, buf), buf.len())
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
