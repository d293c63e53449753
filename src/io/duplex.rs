//! A connection in memory.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use super::simplex::{SimplexReader, SimplexWriter, simplex};
use crate::io_traits::{read_by_reference, tokio_read, tokio_write, write_by_reference};

/// One end of a connection in memory; see [`duplex`].
///
/// It implements the traits of futures-io by value and by reference. At most one task can wait in
/// each direction: the last one that polled. Closing it ends its write direction: the other end
/// reads the written bytes, and then the end of stream. After a drop, writes of the other end
/// return `BrokenPipe` too.
pub struct DuplexStream {
    reader: SimplexReader,
    writer: SimplexWriter,
}

/// Creates the two ends of a connection in memory: bytes written to one are read from the other.
/// Each direction holds up to `capacity` bytes; a write beyond that waits. Useful in tests, and for
/// code that needs a stream where there is no socket. It works under any executor.
///
/// # Panics
///
/// If `capacity` is 0.
///
/// # Cancel safety
///
/// A read or write that is dropped before it completes has no effect.
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
///
/// futures::executor::block_on(async {
///     let (mut one, mut other) = evloop::io::duplex(64);
///     one.write_all(b"ping").await?;
///     drop(one);
///     let mut text = String::new();
///     other.read_to_string(&mut text).await?;
///     assert_eq!(text, "ping");
///     assert!(other.write(b"pong").await.is_err());
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn duplex(capacity: usize) -> (DuplexStream, DuplexStream) {
    assert!(capacity > 0, "the capacity of a duplex is 0: it must be at least 1 byte");
    let (reader, other_writer) = simplex(capacity);
    let (other_reader, writer) = simplex(capacity);
    let other = DuplexStream { reader: other_reader, writer: other_writer };
    (DuplexStream { reader, writer }, other)
}

impl AsyncRead for &DuplexStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &self.reader).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &self.reader).poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for &DuplexStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &self.writer).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &self.writer).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &self.writer).poll_flush(cx)
    }

    /// Ends the write direction.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &self.writer).poll_close(cx)
    }
}

read_by_reference!([] DuplexStream, &DuplexStream, |it| it);
write_by_reference!([] DuplexStream, &DuplexStream, |it| it);
tokio_read!([] DuplexStream);
tokio_read!([] & DuplexStream);
tokio_write!([] DuplexStream, true);
tokio_write!([] & DuplexStream, true);

impl fmt::Debug for DuplexStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (to_read, unread) = (self.reader.len(), self.writer.len());
        f.debug_struct("DuplexStream").field("to_read", &to_read).field("unread", &unread).finish()
    }
}
