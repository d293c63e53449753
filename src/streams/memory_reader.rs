//! A reader of bytes that the program feeds, for tests of parsers.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};

use super::io_stream::IoStream;
use super::open::StreamOptions;
use super::reader::StreamReader;
use super::shared_stream::SharedStream;
use super::socket::StreamSocket;
use crate::io::Buffer;
use crate::wait::{store_waker, wake};

/// Feeds the bytes of a [`memory_reader`]. Dropping it ends the stream.
pub struct Feeder(Rc<Fed>);

/// The bytes that were fed and not read.
#[derive(Default)]
struct Fed {
    bytes: RefCell<Buffer>,
    has_ended: Cell<bool>,
    /// The error at the end.
    error: Cell<Option<io::Error>>,
    reader: Cell<Option<Waker>>,
}

/// The connection of a [`memory_reader`]. Its reader never writes.
struct FedStream(Rc<Fed>);

/// Returns a reader without a connection, and the feeder of its bytes: asyncio's `feed_data` and
/// `feed_eof`. Use it to test a parser without a socket. For a writer too, use
/// [`from_io`](super::from_io) with [`io::duplex`](crate::io::duplex()).
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// use evloop::streams::{IncompleteRead, memory_reader};
///
/// evloop::block_on(async {
///     let (feeder, mut reader) = memory_reader();
///     feeder.feed_data("a line\nhalf a");
///     assert_eq!(reader.read_line().await?, b"a line\n");
///     feeder.feed_eof();
///     let error = reader.read_until(b"\n").await.unwrap_err();
///     assert_eq!(IncompleteRead::of(&error).unwrap().partial, b"half a");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn memory_reader() -> (Feeder, StreamReader) {
    let (fed, options) = (Rc::new(Fed::default()), StreamOptions::default());
    let socket = StreamSocket::Io(IoStream::new(FedStream(fed.clone()), "memory_reader"));
    let shared = SharedStream::new(socket, options.linger);
    (Feeder(fed), StreamReader::new(Rc::new(shared), options.limit))
}

impl Feeder {
    /// Appends bytes to the stream. After its end this has no effect.
    pub fn feed_data(&self, bytes: impl AsRef<[u8]>) {
        if !self.0.has_ended.get() {
            self.0.bytes.borrow_mut().push(bytes.as_ref());
            wake(self.0.reader.take());
        }
    }

    /// Ends the stream after the bytes that were fed.
    pub fn feed_eof(&self) {
        self.0.has_ended.set(true);
        wake(self.0.reader.take());
    }

    /// Ends the stream with an error, after the bytes that were fed. After the end this has no
    /// effect.
    ///
    /// ```
    /// use std::io::{Error, ErrorKind};
    ///
    /// evloop::block_on(async {
    ///     let (feeder, mut reader) = evloop::streams::memory_reader();
    ///     feeder.feed_data("abc");
    ///     feeder.feed_error(Error::from(ErrorKind::ConnectionReset));
    ///     assert_eq!(reader.read(100).await?, b"abc");
    ///     assert_eq!(reader.read(100).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    ///     assert_eq!(reader.error().unwrap().kind(), ErrorKind::ConnectionReset);
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    #[doc(alias = "set_exception")]
    pub fn feed_error(&self, error: io::Error) {
        if !self.0.has_ended.get() {
            self.0.error.set(Some(error));
            self.feed_eof();
        }
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.feed_eof();
    }
}

impl AsyncRead for FedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let fed = &self.0;
        let mut bytes = fed.bytes.borrow_mut();
        if bytes.is_empty() && !fed.has_ended.get() {
            drop(bytes);
            store_waker(&fed.reader, cx.waker());
            return Poll::Pending;
        }
        if bytes.is_empty() {
            return Poll::Ready(fed.error.take().map_or(Ok(0), Err));
        }
        let n = bytes.len().min(buf.len());
        buf[..n].copy_from_slice(&bytes.content()[..n]);
        bytes.consume(n);
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for FedStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for Feeder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unread = self.0.bytes.borrow().len();
        let has_ended = self.0.has_ended.get();
        f.debug_struct("Feeder").field("unread", &unread).field("has_ended", &has_ended).finish()
    }
}
