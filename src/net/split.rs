//! The two halves of a connection, for two owners. Layer L4.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::connection::Connection;
use super::tcp_stream::Tcp;
use super::transport::Transport;
use crate::io::Interest;

/// The read half of a [`Connection`]; see [`Connection::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf<T: Transport = Tcp>(Rc<Connection<T>>);

/// The write half of a [`Connection`]; see [`Connection::into_split`].
///
/// Dropping it shuts down the write direction, so the peer reads the end of the stream;
/// [`forget`](OwnedWriteHalf::forget) does not.
#[derive(Debug)]
pub struct OwnedWriteHalf<T: Transport = Tcp> {
    stream: Rc<Connection<T>>,
    shuts_down_on_drop: bool,
}

/// The error of [`OwnedReadHalf::reunite`] for halves of different connections. It holds both.
#[derive(Debug)]
pub struct ReuniteError<T: Transport = Tcp>(pub OwnedReadHalf<T>, pub OwnedWriteHalf<T>);

impl<T: Transport> Connection<T> {
    /// Splits the connection into two halves, which two tasks can own. The connection closes when
    /// both halves are dropped.
    ///
    /// ```
    /// use evloop::net::{TcpListener, TcpStream};
    ///
    /// evloop::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let stream = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (peer, _) = listener.accept().await?;
    ///     let (read_half, write_half) = stream.into_split();
    ///     let writer = evloop::spawn(async move { write_half.write_all(b"hello").await });
    ///     let mut buf = [0; 5];
    ///     peer.read_exact(&mut buf).await?;
    ///     peer.write_all(&buf).await?;
    ///     read_half.read_exact(&mut buf).await?;
    ///     assert_eq!(&buf, b"hello");
    ///     writer.await.unwrap()
    /// }).unwrap();
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf<T>, OwnedWriteHalf<T>) {
        let stream = Rc::new(self);
        (OwnedReadHalf(stream.clone()), OwnedWriteHalf { stream, shuts_down_on_drop: true })
    }
}

impl<T: Transport> OwnedReadHalf<T> {
    /// Joins the two halves into the connection again.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`] if the halves belong to different connections.
    pub fn reunite(self, mut write: OwnedWriteHalf<T>) -> Result<Connection<T>, ReuniteError<T>> {
        if !Rc::ptr_eq(&self.0, &write.stream) {
            return Err(ReuniteError(self, write));
        }
        write.shuts_down_on_drop = false;
        drop(write);
        Ok(Rc::into_inner(self.0).expect("a connection has two halves"))
    }

    /// See [`Connection::read`].
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.0.read(buf)
    }

    /// See [`Connection::read_exact`].
    pub async fn read_exact(&self, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_exact(buf).await
    }

    /// See [`Connection::read_vectored`].
    pub async fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.0.read_vectored(bufs).await
    }

    /// See [`Connection::peek`].
    pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.0.peek(buf)
    }

    /// See [`Connection::poll_peek`].
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_peek(cx, buf)
    }

    /// See [`Connection::ready`].
    pub fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Interest>> {
        self.0.ready(interest)
    }

    /// See [`Connection::readable`].
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
        self.0.readable()
    }

    /// See [`Connection::try_read`].
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buf)
    }

    /// See [`Connection::try_read_vectored`].
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.0.try_read_vectored(bufs)
    }

    /// See [`Connection::peer_addr`].
    pub fn peer_addr(&self) -> io::Result<T::Addr> {
        self.0.peer_addr()
    }

    /// See [`Connection::local_addr`].
    pub fn local_addr(&self) -> io::Result<T::Addr> {
        self.0.local_addr()
    }
}

impl<T: Transport> OwnedWriteHalf<T> {
    /// See [`Connection::write`].
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.stream.write(buf)
    }

    /// See [`Connection::write_all`].
    pub fn write_all(&self, buf: &[u8]) -> impl Future<Output = io::Result<()>> {
        self.stream.write_all(buf)
    }

    /// See [`Connection::write_all_buf`].
    pub fn write_all_buf(&self, buf: &mut &[u8]) -> impl Future<Output = io::Result<()>> {
        self.stream.write_all_buf(buf)
    }

    /// See [`Connection::write_vectored`].
    pub async fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.write_vectored(bufs).await
    }

    /// See [`Connection::ready`].
    pub fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Interest>> {
        self.stream.ready(interest)
    }

    /// See [`Connection::writable`].
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> {
        self.stream.writable()
    }

    /// See [`Connection::try_write`].
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.stream.try_write(buf)
    }

    /// See [`Connection::try_write_vectored`].
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.try_write_vectored(bufs)
    }

    /// See [`Connection::peer_addr`].
    pub fn peer_addr(&self) -> io::Result<T::Addr> {
        self.stream.peer_addr()
    }

    /// See [`Connection::local_addr`].
    pub fn local_addr(&self) -> io::Result<T::Addr> {
        self.stream.local_addr()
    }

    /// Drops the half without shutting down the write direction. The peer reads no end of the
    /// stream until the other half is dropped too.
    ///
    /// ```
    /// use evloop::net::{TcpListener, TcpStream};
    ///
    /// evloop::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (peer, _) = listener.accept().await?;
    ///     let (read_half, write_half) = client.into_split();
    ///     write_half.forget();
    ///     assert!(peer.try_read(&mut [0; 8]).is_err());
    ///     drop(read_half);
    ///     assert_eq!(peer.read(&mut [0; 8]).await?, 0);
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub fn forget(mut self) {
        self.shuts_down_on_drop = false;
    }

    /// Shuts down the write direction; see [`Connection::shutdown`].
    pub fn shutdown(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }
}

impl<T: Transport> AsRef<Connection<T>> for OwnedReadHalf<T> {
    fn as_ref(&self) -> &Connection<T> {
        &self.0
    }
}

impl<T: Transport> AsRef<Connection<T>> for OwnedWriteHalf<T> {
    fn as_ref(&self) -> &Connection<T> {
        &self.stream
    }
}

impl<T: Transport> Drop for OwnedWriteHalf<T> {
    fn drop(&mut self) {
        if self.shuts_down_on_drop {
            // It fails only if the connection is closed already.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }
}

impl<T: Transport> fmt::Display for ReuniteError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the two halves belong to different connections")
    }
}

impl<T: Transport> Error for ReuniteError<T> {}
