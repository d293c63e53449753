//! The ends of pipes: the traits of futures-io and std. Unix only. Layer L4.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use super::pipe_ends::{Receiver, Sender};
use super::pipe_transfer::{ReadEnd, WriteEnd};
use crate::io_traits::{read_by_reference, tokio_read, tokio_write, write_by_reference};
use crate::reactor::Direction;

impl AsyncRead for &Receiver {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.end.poll_io(Direction::Read, cx, |io| io.read(buf))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.end.poll_io(Direction::Read, cx, |io| io.read_vectored(bufs))
    }
}

impl AsyncWrite for &Sender {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.end.poll_io(Direction::Write, cx, |io| io.write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.end.poll_io(Direction::Write, cx, |io| io.write_vectored(bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Does nothing: dropping the end closes the pipe.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

read_by_reference!([] Receiver, &Receiver, |it| it);
write_by_reference!([] Sender, &Sender, |it| it);
tokio_read!([] Receiver);
tokio_read!([] & Receiver);
tokio_write!([] Sender, true);
tokio_write!([] & Sender, true);

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.get().as_fd()
    }
}

impl AsFd for Sender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.get().as_fd()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt(f)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt(f)
    }
}
