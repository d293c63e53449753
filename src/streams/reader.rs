//! Reading pieces of a stream: lines, blocks, up to a separator.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::buffer::Buffer;
use super::read_error::{IncompleteRead, LimitOverrun};
use super::separator::find_any;
use super::shared_stream::SharedStream;
use super::socket::StreamSocket;
use crate::current::budget;
use crate::io_error::clone_error;
use crate::reactor::{Direction, WaiterKey};

/// The reading end of a connection: asyncio's `StreamReader`.
///
/// What has come and was not taken stays in the reader: all its futures may be dropped at any
/// await, and nothing is lost. A reader that is empty holds no memory for what may come.
///
/// The first error of the connection, be it of reading or of writing, is reported by each read that
/// needs more than what came before it. Once the [`StreamWriter`](super::StreamWriter) is closed or
/// dropped, the reader has only what it holds already, and then the end.
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
    shared: Rc<SharedStream>,
    pub(super) buffer: Buffer,
    limit: usize,
    /// The stream has ended: the peer has finished writing, or the connection was closed here.
    is_finished: bool,
}

impl StreamReader {
    pub(super) fn new(shared: Rc<SharedStream>, limit: usize) -> StreamReader {
        StreamReader { shared, buffer: Buffer::default(), limit, is_finished: false }
    }

    /// Reads what is there, at least a byte and at most `n`; nothing at the end of the stream.
    ///
    /// # Errors
    ///
    /// The connection's.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn read(&mut self, n: usize) -> io::Result<Vec<u8>> {
        budget::unit().await;
        while n > 0 && self.buffer.is_empty() && self.fill().await? {}
        Ok(self.buffer.take(n.min(self.buffer.len())))
    }

    /// Reads all that comes until the stream ends.
    ///
    /// # Errors
    ///
    /// The connection's. What came before stays in the reader.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what came stays in the reader.
    pub async fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        budget::unit().await;
        while self.fill().await? {}
        Ok(self.buffer.take_all())
    }

    /// Reads exactly `n` bytes.
    ///
    /// # Errors
    ///
    /// [`IncompleteRead`] if the stream ends before; the connection's.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[doc(alias = "readexactly")]
    pub async fn read_exact(&mut self, n: usize) -> io::Result<Vec<u8>> {
        budget::unit().await;
        while self.buffer.len() < n {
            if !self.fill().await? {
                let partial = self.buffer.take_all();
                return Err(IncompleteRead { partial, expected: Some(n) }.into());
            }
        }
        Ok(self.buffer.take(n))
    }

    /// Reads a line with its `\n`. At the end of the stream: what is left, which may be nothing.
    ///
    /// # Errors
    ///
    /// [`LimitOverrun`] if the line is longer than the limit; its bytes stay in the reader. The
    /// connection's.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[doc(alias = "readline")]
    pub async fn read_line(&mut self) -> io::Result<Vec<u8>> {
        match self.read_until(b"\n").await {
            Err(error) => error.downcast::<IncompleteRead>().map(|incomplete| incomplete.partial),
            line => line,
        }
    }

    /// Reads up to `separator` and with it.
    ///
    /// # Errors
    ///
    /// [`IncompleteRead`] if the stream ends before; [`LimitOverrun`] if there is more than the
    /// limit before the separator: it stays in the reader. The connection's.
    ///
    /// # Panics
    ///
    /// If `separator` is empty.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[doc(alias = "readuntil")]
    pub async fn read_until(&mut self, separator: &[u8]) -> io::Result<Vec<u8>> {
        self.read_until_any(&[separator]).await
    }

    /// Reads up to that one of `separators` that ends first, and with it.
    ///
    /// # Errors
    ///
    /// As [`read_until`](StreamReader::read_until).
    ///
    /// # Panics
    ///
    /// If there is no separator, or an empty one.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[doc(alias = "readuntil")]
    pub async fn read_until_any(&mut self, separators: &[&[u8]]) -> io::Result<Vec<u8>> {
        let longest = separators.iter().map(|separator| separator.len()).max();
        let is_empty = separators.iter().any(|separator| separator.is_empty());
        let Some(longest) = longest.filter(|_| !is_empty) else {
            panic!("read_until needs a separator of at least a byte")
        };
        budget::unit().await;
        let mut searched = 0;
        loop {
            if let Some(piece) = self.piece(&mut searched, separators, longest) {
                return piece;
            }
            if !self.fill().await? {
                let partial = self.buffer.take_all();
                return Err(IncompleteRead { partial, expected: None }.into());
            }
        }
    }

    /// Whether everything was read and the stream has ended.
    pub fn at_eof(&self) -> bool {
        self.is_finished && self.buffer.is_empty()
    }

    /// The other end's address.
    ///
    /// # Errors
    ///
    /// What the system says of a connection that is gone; kind `Unsupported` if it is none of TCP.
    #[doc(alias = "get_extra_info")]
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.shared.socket.peer_addr()
    }

    /// This end's address.
    ///
    /// # Errors
    ///
    /// As [`peer_addr`](StreamReader::peer_addr).
    #[doc(alias = "get_extra_info")]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.socket.local_addr()
    }

    /// The connection. Who reads from it takes bytes from the reader.
    #[doc(alias = "transport")]
    pub fn get_ref(&self) -> &StreamSocket {
        &self.shared.socket
    }

    /// The piece that ends with one of `separators`, of which the longest has `longest` bytes, if
    /// it is there; or that it is too long. Before `searched` there is none: what has been searched
    /// is not searched again.
    pub(super) fn piece(
        &mut self,
        searched: &mut usize,
        separators: &[&[u8]],
        longest: usize,
    ) -> Option<io::Result<Vec<u8>>> {
        let content = self.buffer.content();
        let found = find_any(content, *searched, separators);
        *searched = (content.len() + 1).saturating_sub(longest);
        let before = found.map_or(*searched, |found| found.begin);
        if before > self.limit {
            return Some(Err(LimitOverrun { consumed: before }.into()));
        }
        found.map(|found| Ok(self.buffer.take(found.end)))
    }

    /// Takes in what is there. `false`: the stream has ended.
    async fn fill(&mut self) -> io::Result<bool> {
        if let Some(over) = self.over() {
            return over;
        }
        let filled = self.shared.fill(&mut self.buffer).await;
        self.note(filled)
    }

    /// The same for a `poll_` method, which waits at `waiter`.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        waiter: &mut WaiterKey,
    ) -> Poll<io::Result<bool>> {
        if let Some(over) = self.over() {
            return Poll::Ready(over);
        }
        let StreamReader { shared, buffer, .. } = self;
        let source = shared.socket.source();
        let filled = source.poll_io(Direction::Read, cx, waiter, || shared.receive(buffer));
        filled.map(|filled| self.note(filled))
    }

    /// Gives up the place of a `poll_` method.
    pub(super) fn leave(&self, waiter: &mut WaiterKey) {
        self.shared.socket.source().leave(Direction::Read, waiter);
    }

    /// The result, if nothing more will come.
    fn over(&self) -> Option<io::Result<bool>> {
        self.is_finished.then(|| self.shared.check_connection().map(|()| false))
    }

    /// Remembers the end, and for both halves the first error.
    fn note(&mut self, filled: io::Result<usize>) -> io::Result<bool> {
        match filled {
            Ok(n) => {
                self.is_finished = n == 0;
                Ok(n > 0)
            }
            Err(error) => {
                self.shared.fail(clone_error(&error));
                Err(error)
            }
        }
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader")
            .field("socket", &self.shared.socket)
            .field("buffered", &self.buffer.len())
            .finish_non_exhaustive()
    }
}
