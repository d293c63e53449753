//! Reads pieces of a stream: lines, blocks, bytes up to a separator.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::read_error::{IncompleteRead, LimitOverrun};
use super::separator::find_any;
use super::shared_stream::SharedStream;
use super::socket::StreamSocket;
use crate::current::budget;
use crate::io::Buffer;
use crate::io_error::clone_error;
use crate::reactor::{Direction, WaiterKey};

/// The reading end of a connection: asyncio's `StreamReader`.
///
/// The buffer belongs to the reader, not to a future. So each future of the reader may be dropped
/// at any await, and no byte is lost. A reader whose buffer is empty holds no memory for it.
///
/// The first error of the connection, of reading or of writing, is returned by each read that needs
/// more bytes than were received before the error. Once the [`StreamWriter`](super::StreamWriter)
/// is closed or dropped, the reader returns the bytes of its buffer, and then the end of stream.
///
/// ```
/// use evloop::net::TcpListener;
///
/// evloop::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let (mut reader, _writer) = evloop::open_connection(listener.local_addr()?).await?;
///     let (peer, _) = listener.accept().await?;
///     peer.write_all(b"LENGTH 5\r\nhello").await?;
///     assert_eq!(reader.read_until(b"\r\n").await?, b"LENGTH 5\r\n");
///     assert_eq!(reader.read_exact(5).await?, b"hello");
///     drop(peer);
///     assert_eq!(reader.read(100).await?, b"");
///     assert!(reader.at_eof());
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub struct StreamReader {
    pub(super) shared: Rc<SharedStream>,
    pub(super) buffer: Buffer,
    pub(super) limit: usize,
    /// The stream has ended: the peer has ended its direction, or this side closed the connection.
    has_ended: bool,
}

impl StreamReader {
    pub(super) fn new(shared: Rc<SharedStream>, limit: usize) -> StreamReader {
        StreamReader { shared, buffer: Buffer::default(), limit, has_ended: false }
    }

    /// Reads the bytes that are available, at least one and at most `n`. Returns no bytes at the
    /// end of the stream, or if `n` is 0.
    ///
    /// # Errors
    ///
    /// The error of the connection.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn read(&mut self, n: usize) -> io::Result<Vec<u8>> {
        budget::part().await;
        while n > 0 && self.buffer.is_empty() && self.fill(1).await? {}
        Ok(self.buffer.take(n.min(self.buffer.len())))
    }

    /// Reads all bytes until the stream ends.
    ///
    /// # Errors
    ///
    /// The error of the connection. The bytes received before it stay in the reader.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: the received bytes stay in the reader.
    pub async fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        budget::part().await;
        // What has come so far lets expect as much again.
        while self.fill(self.buffer.len()).await? {}
        Ok(self.buffer.take_all())
    }

    /// Reads exactly `n` bytes.
    ///
    /// # Errors
    ///
    /// [`IncompleteRead`] if the stream ends before; the error of the connection.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[doc(alias = "readexactly")]
    pub async fn read_exact(&mut self, n: usize) -> io::Result<Vec<u8>> {
        budget::part().await;
        self.wait_for(n).await?;
        Ok(self.buffer.take(n))
    }

    /// Reads exactly `N` bytes into an array.
    pub(super) async fn read_array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        budget::part().await;
        self.wait_for(N).await?;
        let array = *self.buffer.content().first_chunk().expect("the reader has waited for them");
        self.buffer.consume(N);
        Ok(array)
    }

    /// Waits until the buffer has `n` bytes.
    async fn wait_for(&mut self, n: usize) -> io::Result<()> {
        while self.buffer.len() < n {
            if !self.fill(n - self.buffer.len()).await? {
                let partial = self.buffer.take_all();
                return Err(IncompleteRead { partial, expected: Some(n) }.into());
            }
        }
        Ok(())
    }

    /// Reads up to and including `separator`.
    ///
    /// # Errors
    ///
    /// [`IncompleteRead`] if the stream ends before; [`LimitOverrun`] if more bytes than the limit
    /// precede the separator: they stay in the reader. The error of the connection.
    ///
    /// # Panics
    ///
    /// If `separator` is empty.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[doc(alias = "readuntil")]
    #[track_caller]
    pub fn read_until(&mut self, separator: &[u8]) -> impl Future<Output = io::Result<Vec<u8>>> {
        expect_separators(&[separator]);
        async move { self.read_piece(&[separator]).await }
    }

    /// Reads up to and including the one of `separators` that ends first.
    ///
    /// # Errors
    ///
    /// As [`read_until`](StreamReader::read_until).
    ///
    /// # Panics
    ///
    /// If `separators` is empty, or a separator is.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[doc(alias = "readuntil")]
    #[track_caller]
    pub fn read_until_any(
        &mut self,
        separators: &[&[u8]],
    ) -> impl Future<Output = io::Result<Vec<u8>>> {
        expect_separators(separators);
        self.read_piece(separators)
    }

    async fn read_piece(&mut self, separators: &[&[u8]]) -> io::Result<Vec<u8>> {
        let longest = separators.iter().map(|separator| separator.len()).max().unwrap_or(0);
        budget::part().await;
        let mut searched = 0;
        loop {
            if let Some(len) = self.find_piece(&mut searched, separators, longest) {
                return len.map(|len| self.buffer.take(len));
            }
            if !self.fill(1).await? {
                let partial = self.buffer.take_all();
                return Err(IncompleteRead { partial, expected: None }.into());
            }
        }
    }

    /// Returns whether the stream has ended and all its bytes have been read.
    pub fn at_eof(&self) -> bool {
        self.has_ended && self.buffer.is_empty()
    }

    /// Returns the first error of the connection, of reading or of writing, if it has one:
    /// asyncio's `exception`. Received bytes may be left to read before it.
    #[doc(alias = "exception")]
    pub fn error(&self) -> Option<io::Error> {
        self.shared.check_connection().err()
    }

    /// Returns the address of the peer. A connection that a server accepted has it also after its
    /// end; another one from the first call that returned it.
    ///
    /// # Errors
    ///
    /// The system's error if the connection has ended before; kind `Unsupported` if it is no TCP
    /// connection.
    #[doc(alias = "get_extra_info")]
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.shared.peer_addr()
    }

    /// Returns the address of this end.
    ///
    /// # Errors
    ///
    /// The system's error; kind `Unsupported` if it is no TCP connection.
    #[doc(alias = "get_extra_info")]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.socket.local_addr()
    }

    /// Returns the connection. Bytes that are read from it directly do not reach the reader. It
    /// [flushes](super::StreamWriter::flush) the writer before.
    #[doc(alias = "transport")]
    pub fn get_ref(&self) -> &StreamSocket {
        self.shared.flush();
        &self.shared.socket
    }

    /// Returns the length of the piece at the front of the buffer that ends with one of
    /// `separators`, of which the longest has `longest` bytes. Returns `None` if there is none, and
    /// an error if it is too long. No separator begins before `searched`, which is moved on: no
    /// byte is searched twice.
    fn find_piece(
        &self,
        searched: &mut usize,
        separators: &[&[u8]],
        longest: usize,
    ) -> Option<io::Result<usize>> {
        let content = self.buffer.content();
        let found = find_any(content, *searched, separators);
        *searched = (content.len() + 1).saturating_sub(longest);
        let before = found.map_or(*searched, |found| found.begin);
        if before > self.limit {
            return Some(Err(self.overrun(before)));
        }
        found.map(|found| Ok(found.end))
    }

    #[cold]
    pub(super) fn overrun(&self, consumed: usize) -> io::Error {
        LimitOverrun { consumed, limit: self.limit }.into()
    }

    /// Receives bytes into the buffer: about `wanted` at most if these are many. Returns `false` if
    /// the stream has ended.
    pub(super) async fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        if let Some(result) = self.result_after_end() {
            return result;
        }
        let filled = self.shared.fill(&mut self.buffer, wanted).await;
        self.record(filled)
    }

    /// Does the same as a `poll_` method, whose registration is `waiter`.
    #[inline]
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        waiter: &mut WaiterKey,
    ) -> Poll<io::Result<bool>> {
        if let Some(result) = self.result_after_end() {
            return Poll::Ready(result);
        }
        let StreamReader { shared, buffer, .. } = self;
        let source = shared.socket.source();
        let filled = source.poll_io(Direction::Read, cx, waiter, || shared.receive(buffer, 1));
        filled.map(|filled| self.record(filled))
    }

    /// Removes the registration of a `poll_` method.
    #[inline]
    pub(super) fn deregister(&self, waiter: &mut WaiterKey) {
        if !waiter.is_registered() {
            return;
        }
        self.shared.socket.source().deregister(Direction::Read, waiter);
    }

    /// Returns the result of `fill` if the stream has ended.
    fn result_after_end(&self) -> Option<io::Result<bool>> {
        self.has_ended.then(|| self.shared.check_connection().map(|()| false))
    }

    /// Records the end of the stream, or, for both halves, the first error.
    fn record(&mut self, filled: io::Result<usize>) -> io::Result<bool> {
        match filled {
            Ok(n) => {
                self.has_ended = n == 0;
                Ok(n > 0)
            }
            Err(error) => {
                self.shared.fail(clone_error(&error));
                Err(error)
            }
        }
    }
}

/// # Panics
///
/// If `separators` is empty, or a separator is.
#[track_caller]
fn expect_separators(separators: &[&[u8]]) {
    let is_empty = separators.iter().any(|separator| separator.is_empty());
    assert!(!separators.is_empty() && !is_empty, "read_until needs a separator of at least a byte");
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader")
            .field("socket", &self.shared.socket)
            .field("buffered", &self.buffer.len())
            .finish_non_exhaustive()
    }
}
