//! The `poll_` functions and the futures-io traits of `AsyncFd`. Unix.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use super::async_fd::AsyncFd;
use crate::io_traits::{read_by_reference, tokio_read, tokio_write, write_by_reference};
use crate::reactor::Direction;

/// Readiness as `poll_` functions.
impl<T: AsFd> AsyncFd<T> {
    /// Does the same as [`readable`](AsyncFd::readable), as a `poll_` method. At most one task
    /// waits in it: the last one that polled.
    #[doc(alias = "poll_readable")]
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_with(Direction::Read, cx, |_| Ok(()))
    }

    /// Does the same as [`writable`](AsyncFd::writable), as a `poll_` method. At most one task
    /// waits in it: the last one that polled.
    #[doc(alias = "poll_writable")]
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_with(Direction::Write, cx, |_| Ok(()))
    }
}

/// Reads when poll(2) reports that the read does not wait. In each direction one task waits: the
/// last task that polled.
impl<T: AsFd> AsyncRead for &AsyncFd<T>
where
    for<'a> &'a T: Read,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(Direction::Read, cx, |mut io| io.read(buf))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(Direction::Read, cx, |mut io| io.read_vectored(bufs))
    }
}

/// Writes when poll(2) reports that a write of some bytes does not wait. A longer write to a
/// descriptor in blocking mode may block the loop: make it non-blocking first. `poll_close` only
/// flushes.
impl<T: AsFd> AsyncWrite for &AsyncFd<T>
where
    for<'a> &'a T: Write,
{
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(Direction::Write, cx, |mut io| io.write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(Direction::Write, cx, |mut io| io.write_vectored(bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_with(Direction::Write, cx, |mut io| io.flush())
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

read_by_reference!([T: AsFd] AsyncFd<T>, &AsyncFd<T>, |it| it, where for<'a> &'a T: Read);
write_by_reference!([T: AsFd] AsyncFd<T>, &AsyncFd<T>, |it| it, where for<'a> &'a T: Write);
tokio_read!([T: AsFd] AsyncFd<T>, where for<'a> &'a T: Read);
tokio_read!([T: AsFd] &AsyncFd<T>, where for<'a> &'a T: Read);
tokio_write!([T: AsFd] AsyncFd<T>, true, where for<'a> &'a T: Write);
tokio_write!([T: AsFd] &AsyncFd<T>, true, where for<'a> &'a T: Write);
