//! The traits of tokio, by those of futures-io. Feature `tokio-io`.

use std::io::{IoSlice, Result};
#[cfg(unix)]
use std::io::{Read, Write};
#[cfg(unix)]
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use crate::current::read_buffer;
#[cfg(feature = "fs")]
use crate::fs::File;
#[cfg(unix)]
use crate::io::AsyncFd;
use crate::io::{DuplexStream, Join, Output, SimplexReader, SimplexWriter, Stdin};
#[cfg(unix)]
use crate::net::pipe::{Receiver, Sender};
use crate::net::{Connection, OwnedReadHalf, OwnedWriteHalf, Transport};

/// Implements tokio's `AsyncRead` for a type by that of futures-io.
macro_rules! read {
    ([$($generics:tt)*] $type:ty $(, where $($bounds:tt)*)?) => {
        impl<$($generics)*> AsyncRead for $type $(where $($bounds)*)? {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<Result<()>> {
                poll_read(self, cx, buf)
            }
        }
    };
}

/// Does the same with `AsyncWrite`. `$is_vectored`: whether a vectored write takes more than one
/// buffer.
macro_rules! write {
    ([$($generics:tt)*] $type:ty, $is_vectored:literal $(, where $($bounds:tt)*)?) => {
        impl<$($generics)*> AsyncWrite for $type $(where $($bounds)*)? {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<Result<usize>> {
                futures_io::AsyncWrite::poll_write(self, cx, buf)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<Result<usize>> {
                futures_io::AsyncWrite::poll_write_vectored(self, cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                $is_vectored
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
                futures_io::AsyncWrite::poll_flush(self, cx)
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
                futures_io::AsyncWrite::poll_close(self, cx)
            }
        }
    };
}

#[cfg(feature = "streams")]
pub(crate) use {read, write};

read!([] SimplexReader);
read!([] & SimplexReader);
write!([] SimplexWriter, true);
write!([] & SimplexWriter, true);
read!([] DuplexStream);
read!([] & DuplexStream);
write!([] DuplexStream, true);
write!([] & DuplexStream, true);
read!([] Stdin);
write!([] Output, false);
read!([T: Transport] Connection<T>);
read!([T: Transport] &Connection<T>);
write!([T: Transport] Connection<T>, true);
write!([T: Transport] &Connection<T>, true);
read!([T: Transport] OwnedReadHalf<T>);
write!([T: Transport] OwnedWriteHalf<T>, true);
#[cfg(feature = "fs")]
read!([] File);
#[cfg(feature = "fs")]
write!([] File, true);
#[cfg(unix)]
read!([] Receiver);
#[cfg(unix)]
read!([] & Receiver);
#[cfg(unix)]
write!([] Sender, true);
#[cfg(unix)]
write!([] & Sender, true);
#[cfg(unix)]
read!([T: AsFd] AsyncFd<T>, where for<'a> &'a T: Read);
#[cfg(unix)]
read!([T: AsFd] &AsyncFd<T>, where for<'a> &'a T: Read);
#[cfg(unix)]
write!([T: AsFd] AsyncFd<T>, true, where for<'a> &'a T: Write);
#[cfg(unix)]
write!([T: AsFd] &AsyncFd<T>, true, where for<'a> &'a T: Write);

/// Reads into the unfilled part of `buf`. If a part of it is not initialized, the bytes are read
/// into the buffer that all reads of the thread share: copying the bytes that have come costs less
/// than zeroing all the memory that they might need.
pub(crate) fn poll_read(
    io: Pin<&mut impl futures_io::AsyncRead>,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<Result<()>> {
    if buf.initialized().len() == buf.capacity() {
        let n = ready!(io.poll_read(cx, buf.initialize_unfilled()))?;
        buf.advance(n);
        return Poll::Ready(Ok(()));
    }
    read_buffer::with_buffer(|shared| {
        let len = shared.len().min(buf.remaining());
        let n = ready!(io.poll_read(cx, &mut shared[..len]))?;
        buf.put_slice(&shared[..n]);
        Poll::Ready(Ok(()))
    })
}

/// By tokio's traits of the parts, which may be of other crates.
impl<R: AsyncRead + Unpin, W: Unpin> AsyncRead for Join<R, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(self.reader_mut()).poll_read(cx, buf)
    }
}

impl<R: AsyncBufRead + Unpin, W: Unpin> AsyncBufRead for Join<R, W> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<&[u8]>> {
        Pin::new(self.get_mut().reader_mut()).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        Pin::new(self.reader_mut()).consume(n);
    }
}

impl<R: Unpin, W: AsyncWrite + Unpin> AsyncWrite for Join<R, W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(self.writer_mut()).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(self.writer_mut()).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.writer().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(self.writer_mut()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(self.writer_mut()).poll_shutdown(cx)
    }
}
