//! Adapters that implement the traits of futures-io for a stream reader and a stream writer.

use std::borrow::{Borrow, BorrowMut};
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};

use super::reader::StreamReader;
use super::shared_stream::SharedStream;
use super::writer::StreamWriter;
use crate::current::budget;
use crate::io_traits::{tokio_read, tokio_write};
use crate::reactor::{Direction, WaiterKey};

/// A [`StreamReader`] with the traits of futures-io: borrowed by [`StreamReader::as_async_read`],
/// or owned by [`StreamReader::into_async_read`].
#[derive(Debug)]
pub struct AsyncReader<R = StreamReader> {
    reader: R,
    waiting: Waiting,
}

/// A [`StreamWriter`] with the trait of futures-io: borrowed by [`StreamWriter::as_async_write`],
/// or owned by [`StreamWriter::into_async_write`].
#[derive(Debug)]
pub struct AsyncWriter<W = StreamWriter> {
    writer: W,
    waiting: Waiting,
}

/// The waiter of an adapter. Dropping it removes the waiter.
struct Waiting {
    shared: Rc<SharedStream>,
    deregister: fn(&SharedStream, &mut WaiterKey),
    waiter: WaiterKey,
}

impl<R> AsyncReader<R> {
    /// Returns the reader.
    pub fn into_inner(self) -> R {
        self.reader
    }
}

impl<W> AsyncWriter<W> {
    /// Returns the writer.
    pub fn into_inner(self) -> W {
        self.writer
    }

    fn poll_until(
        &mut self,
        cx: &mut Context<'_>,
        is_done: impl Fn(&SharedStream) -> bool,
    ) -> Poll<io::Result<()>> {
        let Waiting { shared, waiter, .. } = &mut self.waiting;
        shared.poll_wait(cx, waiter, is_done)
    }
}

impl<R: BorrowMut<StreamReader> + Unpin> AsyncRead for AsyncReader<R> {
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

impl<R: BorrowMut<StreamReader> + Unpin> AsyncBufRead for AsyncReader<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        ready!(budget::poll_unit(cx));
        let AsyncReader { reader, waiting } = self.get_mut();
        let reader = reader.borrow_mut();
        if reader.buffer.is_empty() {
            ready!(reader.poll_fill(cx, &mut waiting.waiter))?;
        }
        Poll::Ready(Ok(reader.buffer.content()))
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        self.get_mut().reader.borrow_mut().buffer.consume(n);
    }
}

impl<W: Borrow<StreamWriter> + Unpin> AsyncWrite for AsyncWriter<W> {
    /// Accepts all of `buf` once the writer is not paused by its high-water mark.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_until(cx, |shared| !shared.is_paused()))?;
        let shared = &self.waiting.shared;
        shared.write(buf);
        Poll::Ready(shared.check().map(|()| buf.len()))
    }

    /// Does the same with several buffers, which are sent together.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_until(cx, |shared| !shared.is_paused()))?;
        let shared = &self.waiting.shared;
        shared.write_vectored(bufs);
        Poll::Ready(shared.check().map(|()| bufs.iter().map(|buf| buf.len()).sum()))
    }

    /// Completes once everything is sent.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_until(cx, SharedStream::has_sent)
    }

    /// Ends the write direction, and completes once everything is sent.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waiting.shared.end();
        self.poll_until(cx, SharedStream::has_ended)
    }
}

tokio_read!([R: BorrowMut<StreamReader> + Unpin] AsyncReader<R>);
tokio_write!([W: Borrow<StreamWriter> + Unpin] AsyncWriter<W>, true);

#[cfg(feature = "tokio-io")]
impl<R: BorrowMut<StreamReader> + Unpin> tokio::io::AsyncBufRead for AsyncReader<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        AsyncBufRead::poll_fill_buf(self, cx)
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        AsyncBufRead::consume(self, n);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        (self.deregister)(&self.shared, &mut self.waiter);
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.waiter.fmt(f)
    }
}

/// Returns an adapter around `reader`, whose connection is `shared`.
fn async_reader<R>(reader: R, shared: Rc<SharedStream>) -> AsyncReader<R> {
    let deregister = |shared: &SharedStream, waiter: &mut WaiterKey| {
        shared.socket.source().deregister(Direction::Read, waiter);
    };
    let waiting = Waiting { shared, deregister, waiter: WaiterKey::default() };
    AsyncReader { reader, waiting }
}

/// Returns an adapter around `writer`, whose connection is `shared`.
fn async_writer<W>(writer: W, shared: Rc<SharedStream>) -> AsyncWriter<W> {
    let waiting =
        Waiting { shared, deregister: SharedStream::deregister, waiter: WaiterKey::default() };
    AsyncWriter { writer, waiting }
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
    pub fn as_async_read(&mut self) -> AsyncReader<&mut StreamReader> {
        let shared = self.shared.clone();
        async_reader(self, shared)
    }

    /// Converts the reader into one with the traits `AsyncRead` and `AsyncBufRead` of futures-io.
    /// Bytes that were received already are read first.
    ///
    /// ```
    /// use futures::io::{AsyncBufReadExt, AsyncReadExt};
    ///
    /// evloop::block_on(async {
    ///     let (feeder, mut reader) = evloop::streams::memory_reader();
    ///     feeder.feed_data("HEAD\nbody\nend");
    ///     feeder.feed_eof();
    ///     assert_eq!(reader.read_line().await?, b"HEAD\n");
    ///     let mut body = reader.into_async_read();
    ///     let mut text = String::new();
    ///     body.read_line(&mut text).await?;
    ///     body.read_to_string(&mut text).await?;
    ///     assert_eq!(text, "body\nend");
    ///     assert!(body.into_inner().at_eof());
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub fn into_async_read(self) -> AsyncReader {
        let shared = self.shared.clone();
        async_reader(self, shared)
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
    pub fn as_async_write(&self) -> AsyncWriter<&StreamWriter> {
        async_writer(self, self.shared.clone())
    }

    /// Converts the writer into one with the trait `AsyncWrite` of futures-io. Its `poll_close`
    /// ends the write direction. Dropping it [closes](StreamWriter::close) the connection.
    ///
    /// ```
    /// use evloop::streams::from_io;
    /// use futures::AsyncWriteExt;
    ///
    /// evloop::block_on(async {
    ///     let (one, other) = evloop::io::duplex(64);
    ///     let (_reader, writer) = from_io(one);
    ///     let (mut reader, _writer) = from_io(other);
    ///     let mut writer = writer.into_async_write();
    ///     writer.write_all(b"hello").await?;
    ///     writer.close().await?;
    ///     assert_eq!(reader.read_to_end().await?, b"hello");
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub fn into_async_write(self) -> AsyncWriter {
        let shared = self.shared.clone();
        async_writer(self, shared)
    }
}
