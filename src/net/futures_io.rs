//! The futures-io traits of references to connections. Layer L4.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use super::connection::Connection;
use super::split::{OwnedReadHalf, OwnedWriteHalf};
use super::transport::{StreamIo, Transport};
use crate::io_traits::{read_by_reference, tokio_read, tokio_write, write_by_reference};
use crate::reactor::Direction;

impl<T: Transport> AsyncRead for &Connection<T> {
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

impl<T: Transport> AsyncWrite for &Connection<T> {
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

    /// Ends the write direction. After a reset by the peer it is ended already.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        })
    }
}

read_by_reference!([T: Transport] Connection<T>, &Connection<T>, |it| it);
write_by_reference!([T: Transport] Connection<T>, &Connection<T>, |it| it);
read_by_reference!([T: Transport] OwnedReadHalf<T>, &Connection<T>, AsRef::as_ref);
write_by_reference!([T: Transport] OwnedWriteHalf<T>, &Connection<T>, AsRef::as_ref);
tokio_read!([T: Transport] Connection<T>);
tokio_read!([T: Transport] &Connection<T>);
tokio_read!([T: Transport] OwnedReadHalf<T>);
tokio_write!([T: Transport] Connection<T>, true);
tokio_write!([T: Transport] &Connection<T>, true);
tokio_write!([T: Transport] OwnedWriteHalf<T>, true);
