//! One connection of a reader and a writer.

use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};

/// A connection that reads from one object and writes to another; see [`join`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join<R, W> {
    reader: R,
    writer: W,
}

/// Joins a reader and a writer into one connection, for code that needs both traits: trio's
/// `StapledStream`.
///
#[cfg_attr(feature = "streams", doc = "```")]
#[cfg_attr(not(feature = "streams"), doc = "```ignore")]
/// use evloop::io::{join, simplex};
/// use futures::{AsyncReadExt, AsyncWriteExt};
///
/// evloop::block_on(async {
///     let (reader, mut to_reader) = simplex(64);
///     let (mut from_writer, writer) = simplex(64);
///     // `from_io` needs one object.
///     let (mut reader, writer) = evloop::streams::from_io(join(reader, writer));
///     to_reader.write_all(b"question\n").await?;
///     writer.write(reader.read_line().await?.to_ascii_uppercase());
///     let mut answer = [0; 9];
///     from_writer.read_exact(&mut answer).await?;
///     assert_eq!(&answer, b"QUESTION\n");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub fn join<R, W>(reader: R, writer: W) -> Join<R, W> {
    Join { reader, writer }
}

impl<R, W> Join<R, W> {
    /// Returns the reader and the writer.
    pub fn into_inner(self) -> (R, W) {
        (self.reader, self.writer)
    }

    /// Returns the reader.
    pub fn reader(&self) -> &R {
        &self.reader
    }

    /// Returns the writer.
    pub fn writer(&self) -> &W {
        &self.writer
    }

    /// Returns the reader. `Pin::new` pins it, since only readers that are `Unpin` are joined.
    #[doc(alias = "reader_pin_mut")]
    pub fn reader_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Returns the writer. `Pin::new` pins it, since only writers that are `Unpin` are joined.
    #[doc(alias = "writer_pin_mut")]
    pub fn writer_mut(&mut self) -> &mut W {
        &mut self.writer
    }
}

impl<R: AsyncRead + Unpin, W: Unpin> AsyncRead for Join<R, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read_vectored(cx, bufs)
    }
}

impl<R: AsyncBufRead + Unpin, W: Unpin> AsyncBufRead for Join<R, W> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().reader).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        Pin::new(&mut self.reader).consume(n);
    }
}

impl<R: Unpin, W: AsyncWrite + Unpin> AsyncWrite for Join<R, W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_close(cx)
    }
}
