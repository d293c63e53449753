//! Writes to a stream without waiting, and waits when too many bytes are unsent.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use super::shared_stream::SharedStream;
use super::socket::StreamSocket;

/// The writing end of a connection: asyncio's `StreamWriter`.
///
/// [`write`](StreamWriter::write) never waits: it queues the bytes. What a task writes before it
/// yields is sent together, in one system call; what the system does not accept is sent in the
/// background. [`drain`](StreamWriter::drain) waits if too many bytes are unsent, and returns
/// errors. Call it after each write if you write much. Tasks may share a writer.
///
/// # When the bytes are sent
///
/// - When the poll of the running task ends: at its next `await` that waits, or when it completes.
///   So a request has left before the task waits for the answer. A task that computes for long
///   after a write calls [`flush`](StreamWriter::flush) before.
/// - At once, if 16 KiB or more are unsent: then each write sends what the system accepts.
/// - At once by [`flush`](StreamWriter::flush), [`shutdown_write`](StreamWriter::shutdown_write),
///   [`close`](StreamWriter::close), [`abort`](StreamWriter::abort),
///   [`get_ref`](StreamWriter::get_ref), and by a [`drain`](StreamWriter::drain) or
///   [`wait_closed`](StreamWriter::wait_closed) that would have to wait.
/// - At once, if no task of a loop is running: between two turns of a
///   [`Runtime`](crate::Runtime), or in a destructor at its end.
///
/// The connection of [`from_io`](super::from_io) has a task of its own, which sends after the tasks
/// that are ready already.
///
/// Dropping the writer [closes](StreamWriter::close) the connection, as in asyncio; the unsent
/// bytes are sent first, in the background. To end the write direction alone, call
/// [`shutdown_write`](StreamWriter::shutdown_write) and keep the writer. Bytes that are unsent when
/// the loop ends are lost.
///
/// ```
/// use evloop::net::TcpListener;
///
/// evloop::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let (_reader, writer) = evloop::open_connection(listener.local_addr()?).await?;
///     let (peer, _) = listener.accept().await?;
///     for line in ["one\n", "two\n"] {
///         writer.write(line);
///         writer.drain().await?;
///     }
///     writer.close();
///     writer.wait_closed().await?;
///     let mut buf = [0; 8];
///     peer.read_exact(&mut buf).await?;
///     assert_eq!(&buf, b"one\ntwo\n");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub struct StreamWriter {
    pub(super) shared: Rc<SharedStream>,
    /// Dropping the writer aborts the connection, unless it was closed before.
    pub(super) aborts_on_drop: bool,
}

impl StreamWriter {
    pub(super) fn new(shared: Rc<SharedStream>) -> StreamWriter {
        StreamWriter { shared, aborts_on_drop: false }
    }

    /// Writes all of `bytes`, without waiting. They are sent when the task yields, together with
    /// its other writes; see [above](StreamWriter#when-the-bytes-are-sent).
    ///
    /// An error of the connection, once the bytes were sent, or of writing after the end, is
    /// returned by the next [`drain`](StreamWriter::drain) or
    /// [`wait_closed`](StreamWriter::wait_closed).
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let (one, other) = evloop::io::duplex(64);
    ///     let (_reader, writer) = evloop::streams::from_io(one);
    ///     writer.write("GET ");
    ///     writer.write(String::from("/index.html "));
    ///     writer.write(b"HTTP/1.0\r\n");
    ///     writer.write(&vec![b'\r', b'\n']);
    ///     let (mut reader, _writer) = evloop::streams::from_io(other);
    ///     assert_eq!(reader.read_until(b"\r\n\r\n").await?, b"GET /index.html HTTP/1.0\r\n\r\n");
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    #[inline]
    pub fn write(&self, bytes: impl AsRef<[u8]>) {
        self.shared.write(bytes.as_ref());
    }

    /// Writes several buffers as if they were one, without copying them together first.
    #[doc(alias = "writelines")]
    pub fn write_vectored(&self, pieces: &[io::IoSlice<'_>]) {
        self.shared.write_vectored(pieces);
    }

    /// Sends what the system accepts now. The rest is sent in the background. An error is returned
    /// by the next [`drain`](StreamWriter::drain).
    ///
    /// The end of the running task's poll does the same: only a task that continues for long
    /// without an `await` needs this.
    ///
    /// ```
    /// use evloop::net::TcpListener;
    ///
    /// evloop::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let (_reader, writer) = evloop::open_connection(listener.local_addr()?).await?;
    ///     writer.write("working...\n");
    ///     assert_eq!(writer.write_buffer_size(), 11);
    ///     writer.flush();
    ///     assert_eq!(writer.write_buffer_size(), 0);
    ///     let sum: u64 = (0..1_000_000).sum(); // The peer has received the line before.
    ///     writer.write(format!("{sum}\n"));
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub fn flush(&self) {
        self.shared.flush();
    }

    /// Waits until the number of unsent bytes has fallen to the low-water mark, if it had exceeded
    /// the high-water mark. Any number of tasks may wait. With
    /// [both marks at 0](StreamWriter::set_write_buffer_limits) it waits until everything is sent.
    ///
    /// A peer that never reads makes it wait forever. So a server limits the wait, and then aborts
    /// the connection: a writer that is only dropped keeps its unsent bytes in memory for
    /// [`StreamOptions::linger`](super::StreamOptions::linger).
    ///
    /// # Errors
    ///
    /// The first error of the connection, at each call.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    ///
    /// ```
    /// use evloop::{StreamWriter, time::timeout};
    /// use std::{io, time::Duration};
    ///
    /// async fn send(writer: &StreamWriter, bytes: &[u8]) -> io::Result<()> {
    ///     writer.write(bytes);
    ///     timeout(Duration::from_millis(2), writer.drain()).await.unwrap_or_else(|elapsed| {
    ///         writer.abort();
    ///         Err(elapsed.into())
    ///     })
    /// }
    ///
    /// evloop::block_on(async {
    ///     let (one, _peer_that_never_reads) = evloop::io::duplex(64);
    ///     let (_reader, writer) = evloop::streams::from_io(one);
    ///     let error = send(&writer, &[0; 100_000]).await.unwrap_err();
    ///     assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    ///     assert_eq!(writer.write_buffer_size(), 0);
    /// });
    /// ```
    pub fn drain(&self) -> impl Future<Output = io::Result<()>> {
        self.shared.wait(|shared| !shared.is_paused())
    }

    /// Ends the write direction once everything is sent: the peer reaches its end of stream. The
    /// reader continues.
    #[doc(alias = "write_eof")]
    pub fn shutdown_write(&self) {
        self.shared.end();
    }

    /// Closes the connection in both directions, without waiting. The reader returns the bytes of
    /// its buffer and then the end of stream; a reader that waits is woken.
    ///
    /// In the background, the unsent bytes are sent, the write direction ends, and the bytes that
    /// the peer still sends are read and discarded until the peer has ended too. The reason:
    /// closing a socket that holds unread bytes resets the connection (RFC 9293, section 3.6.1),
    /// which destroys the bytes that the peer has not received yet.
    /// [`StreamOptions::linger`](super::StreamOptions::linger) limits how long that may take.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Waits until everything is sent and the write direction has ended. It does not wait for the
    /// peer to end its direction.
    ///
    /// # Errors
    ///
    /// The first error of the connection; kind `TimedOut` if after the close the peer accepted no
    /// unsent byte for [`StreamOptions::linger`](super::StreamOptions::linger).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub fn wait_closed(&self) -> impl Future<Output = io::Result<()>> {
        self.shared.wait(SharedStream::has_ended)
    }

    /// Returns whether the writer was closed, or its write direction was ended.
    pub fn is_closing(&self) -> bool {
        self.shared.is_ending()
    }

    /// Closes the connection at once: the unsent bytes that the system does not accept now are
    /// dropped, and the reader reaches the end of the stream.
    #[doc(alias = "aclose_forcefully")]
    pub fn abort(&self) {
        self.shared.abort();
    }

    /// Returns a writer whose drop [aborts](StreamWriter::abort) the connection instead of closing
    /// it in the background. If the writer was [closed](StreamWriter::close) before its drop, the
    /// connection is still closed in the background.
    ///
    /// ```
    /// use std::future::pending;
    /// use std::time::Duration;
    ///
    /// evloop::block_on(async {
    ///     let server = evloop::start_server("127.0.0.1:0", async |_reader, writer| {
    ///         let writer = writer.abort_on_drop();
    ///         writer.write(b"hello\n");
    ///         // When this handler ends, its connection is closed at once.
    ///         let _ = evloop::time::timeout(Duration::from_millis(2), pending::<()>()).await;
    ///     }).await?;
    ///     let (mut reader, _writer) = evloop::open_connection(server.local_addrs()[0]).await?;
    ///     assert_eq!(reader.read_to_end().await?, b"hello\n");
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    #[must_use = "the writer that is returned aborts when it is dropped"]
    pub fn abort_on_drop(mut self) -> StreamWriter {
        self.aborts_on_drop = true;
        self
    }

    /// Sets the low-water and the high-water mark of [`drain`](StreamWriter::drain), in bytes.
    /// Default: 16 and 64 KiB.
    ///
    /// # Panics
    ///
    /// If `low` is above `high`.
    #[track_caller]
    pub fn set_write_buffer_limits(&self, low: usize, high: usize) {
        assert!(low <= high, "the low-water mark {low} must not exceed the high-water mark {high}");
        self.shared.set_marks(low, high);
    }

    /// Returns the low-water and the high-water mark, in bytes.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let (_reader, writer) = evloop::streams::from_io(evloop::io::duplex(64).0);
    ///     assert_eq!(writer.write_buffer_limits(), (16 * 1024, 64 * 1024));
    ///     writer.set_write_buffer_limits(0, 100);
    ///     assert_eq!(writer.write_buffer_limits(), (0, 100));
    /// });
    /// ```
    #[doc(alias = "get_write_buffer_limits")]
    pub fn write_buffer_limits(&self) -> (usize, usize) {
        self.shared.marks()
    }

    /// Returns the number of unsent bytes, with those that are sent when the task yields.
    #[doc(alias = "get_write_buffer_size")]
    pub fn write_buffer_size(&self) -> usize {
        self.shared.unsent()
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

    /// Returns the connection. It [flushes](StreamWriter::flush) the writer before: bytes that are
    /// then written to the connection directly overtake only those that the system has refused, and
    /// those of later writes.
    #[doc(alias = "transport")]
    pub fn get_ref(&self) -> &StreamSocket {
        self.shared.flush();
        &self.shared.socket
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        match self.aborts_on_drop && !self.shared.is_closed() {
            true => self.shared.abort(),
            false => self.shared.close(),
        }
    }
}

impl fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWriter")
            .field("socket", &self.shared.socket)
            .field("unsent", &self.write_buffer_size())
            .finish_non_exhaustive()
    }
}
