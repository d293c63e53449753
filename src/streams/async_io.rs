//! Adapters that implement the traits of futures-io for a stream reader and a stream writer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};

use super::reader::StreamReader;
use super::shared_stream::SharedStream;
use super::writer::StreamWriter;
use crate::current::budget;
use crate::reactor::WaiterKey;

/// A [`StreamReader`] with the traits of futures-io; see [`StreamReader::as_async_read`].
#[derive(Debug)]
pub struct AsyncReader<'a> {
    reader: &'a mut StreamReader,
    waiter: WaiterKey,
}

/// A [`StreamWriter`] with the trait of futures-io; see [`StreamWriter::as_async_write`].
#[derive(Debug)]
pub struct AsyncWriter<'a> {
    writer: &'a StreamWriter,
    waiter: WaiterKey,
}

impl<'a> AsyncReader<'a> {
    pub(super) fn new(reader: &'a mut StreamReader) -> AsyncReader<'a> {
        AsyncReader { reader, waiter: WaiterKey::default() }
    }
}

impl<'a> AsyncWriter<'a> {
    pub(super) fn new(writer: &'a StreamWriter) -> AsyncWriter<'a> {
        AsyncWriter { writer, waiter: WaiterKey::default() }
    }

    fn poll_until(
        &mut self,
        cx: &mut Context<'_>,
        is_done: impl Fn(&SharedStream) -> bool,
    ) -> Poll<io::Result<()>> {
        self.writer.shared.poll_wait(cx, &mut self.waiter, is_done)
    }
}

impl AsyncRead for AsyncReader<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let content = ready!(self.as_mut().poll_fill_buf(cx))?;
        let n = content.len().min(buf.len());
        buf[..n].copy_from_slice(&content[..n]);
        self.consume(n);
        Poll::Ready(Ok(n))
    }
}

impl AsyncBufRead for AsyncReader<'_> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        ready!(budget::poll_unit(cx));
        let AsyncReader { reader, waiter } = self.get_mut();
        if reader.buffer.is_empty() {
            ready!(reader.poll_fill(cx, waiter))?;
        }
        Poll::Ready(Ok(reader.buffer.content()))
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        self.get_mut().reader.buffer.consume(n);
    }
}

impl AsyncWrite for AsyncWriter<'_> {
    /// Accepts all of `buf` once the writer is not paused by its high-water mark.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_until(cx, |shared| !shared.is_paused()))?;
        self.writer.write(buf);
        Poll::Ready(self.writer.shared.check().map(|()| buf.len()))
    }

    /// Completes once everything is sent.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_until(cx, |shared| shared.unsent() == 0)
    }

    /// Ends the write direction, and completes once everything is sent.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.shutdown_write();
        self.poll_until(cx, SharedStream::has_ended)
    }
}

impl Drop for AsyncReader<'_> {
    fn drop(&mut self) {
        self.reader.deregister(&mut self.waiter);
    }
}

impl Drop for AsyncWriter<'_> {
    fn drop(&mut self) {
        self.writer.shared.deregister(&mut self.waiter);
    }
}

impl StreamReader {
    /// Borrows the reader with the traits `AsyncRead` and `AsyncBufRead` of futures-io, for use
    /// with other crates. The reader does not implement them itself, since its `read(n)` is
    /// asyncio's.
    ///
    /// ```
    /// use evloop::net::TcpListener;
    /// use futures::io::{AsyncBufReadExt, AsyncReadExt};
    ///
    /// evloop::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let (mut reader, _writer) = evloop::open_connection(listener.local_addr()?).await?;
    ///     listener.accept().await?.0.write_all(b"one\ntwo").await?;
    ///     let mut line = String::new();
    ///     reader.as_async_read().read_line(&mut line).await?;
    ///     assert_eq!(line, "one\n");
    ///     reader.as_async_read().read_to_string(&mut line).await?;
    ///     assert_eq!(line, "one\ntwo");
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub fn as_async_read(&mut self) -> AsyncReader<'_> {
        AsyncReader::new(self)
    }
}

impl StreamWriter {
    /// Borrows the writer with the trait `AsyncWrite` of futures-io, for use with other crates. The
    /// writer does not implement it itself, since its `write` is asyncio's and never waits. The
    /// `write` of this adapter waits as [`drain`](StreamWriter::drain) does.
    ///
    /// ```
    /// use evloop::net::TcpListener;
    /// use futures::AsyncWriteExt;
    ///
    /// evloop::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let (_reader, writer) = evloop::open_connection(listener.local_addr()?).await?;
    ///     writer.as_async_write().write_all(b"hello").await?;
    ///     let mut buf = [0; 5];
    ///     listener.accept().await?.0.read_exact(&mut buf).await?;
    ///     assert_eq!(&buf, b"hello");
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub fn as_async_write(&self) -> AsyncWriter<'_> {
        AsyncWriter::new(self)
    }
}
