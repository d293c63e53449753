//! A connection for hyper. Layer L4.
//!
//! Invariant: bytes are read into the thread's read buffer first. hyper lends uninitialised memory,
//! which safe code can fill only by a copy.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::hyper::rt::{Read, ReadBufCursor, Write};
use futures_io::{AsyncRead, AsyncWrite};

use crate::current::read_buffer;

/// A connection with the traits of futures-io, for hyper; or one of hyper, with the traits of
/// futures-io.
///
/// `Io` implements hyper's traits if `T` implements those of futures-io, as all connections of this
/// crate do, and TLS streams of other crates. It implements those of futures-io if `T` implements
/// hyper's, as hyper's `Upgraded` does.
///
/// A read goes into a buffer of the thread and is then copied: hyper's buffer is not cleared first.
/// Writes of several buffers are passed on as they are, unless
/// [`without_vectored_writes`](Io::without_vectored_writes) is called.
///
/// ```
/// use evloop::hyper::Io;
/// use evloop::net::{TcpListener, TcpStream};
///
/// fn is_for_hyper(_: &(impl hyper::rt::Read + hyper::rt::Write)) {}
///
/// evloop::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     is_for_hyper(&Io::new(TcpStream::connect(listener.local_addr()?).await?));
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct Io<T> {
    pub(super) inner: T,
    is_vectored: bool,
    /// Bytes that were read to find the protocol, and that the next read returns first.
    unread: Vec<u8>,
}

impl<T> Io<T> {
    /// Wraps a connection.
    pub fn new(inner: T) -> Io<T> {
        Io { inner, is_vectored: true, unread: Vec::new() }
    }

    /// Makes hyper copy the pieces of a message into one buffer before it writes them. This is for
    /// a connection that writes only the first of several buffers: the default of futures-io.
    pub fn without_vectored_writes(self) -> Io<T> {
        Io { is_vectored: false, ..self }
    }

    /// Returns the connection.
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// Returns the connection, for changes.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// Returns the connection.
    pub fn into_inner(self) -> T {
        self.inner
    }

    /// Returns the bytes that the next reads return.
    pub(super) fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// Out of line: only the first read of a connection calls it.
    #[cold]
    fn read_unread(&mut self, mut buf: ReadBufCursor<'_>) {
        let n = self.unread.len().min(buf.remaining());
        buf.put_slice(&self.unread[..n]);
        // All of them but rarely: `unread` frees its memory then.
        self.unread = self.unread.split_off(n);
    }
}

impl<T: AsyncRead + Unpin> Io<T> {
    /// Reads bytes that stay [unread](Io::unread). Returns their number; 0 at the end.
    pub(super) fn poll_peek(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        read_buffer::with_buffer(|buffer| {
            let n = ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
            self.unread.extend_from_slice(&buffer[..n]);
            Poll::Ready(Ok(n))
        })
    }
}

impl<T: AsyncRead + Unpin> Read for Io<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            self.read_unread(buf);
            return Poll::Ready(Ok(()));
        }
        read_buffer::with_buffer(|buffer| {
            let n = buffer.len().min(buf.remaining());
            let n = ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buffer[..n]))?;
            buf.put_slice(&buffer[..n]);
            Poll::Ready(Ok(()))
        })
    }
}

impl<T: AsyncWrite + Unpin> Write for Io<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.is_vectored
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }
}
