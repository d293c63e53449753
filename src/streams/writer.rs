//! Writing to a stream without waiting, and waiting when that is wise.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use super::shared_stream::SharedStream;
use super::socket::StreamSocket;

/// The writing end of a connection: asyncio's `StreamWriter`.
///
/// [`write`](StreamWriter::write) takes everything at once and never waits: it sends what the
/// system takes, and the rest goes out in the background. [`drain`](StreamWriter::drain) waits if
/// too much is unsent, and tells of errors; who writes much calls it after each write. Tasks may
/// share a writer.
///
/// Dropping the writer [closes](StreamWriter::close) the connection, as asyncio does; what is
/// unsent is sent first, in the background. To end the write direction alone, call
/// [`shutdown_write`](StreamWriter::shutdown_write) and keep the writer. What is unsent when the
/// loop ends is lost.
///
/// ```
/// use evloop::net::TcpListener;
///
/// evloop::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let (_reader, writer) = evloop::open_connection(listener.local_addr()?).await?;
///     let (peer, _) = listener.accept().await?;
///     for line in ["one\n", "two\n"] {
///         writer.write(line.as_bytes());
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
    /// Dropping it aborts, unless it was closed before.
    aborts_on_drop: bool,
}

impl StreamWriter {
    pub(super) fn new(shared: Rc<SharedStream>) -> StreamWriter {
        StreamWriter { shared, aborts_on_drop: false }
    }

    /// Writes all of `bytes`: sends what the system takes now, and the rest in the background.
    ///
    /// An error of the connection, or of writing after the end, is told by the next
    /// [`drain`](StreamWriter::drain) or [`wait_closed`](StreamWriter::wait_closed).
    pub fn write(&self, bytes: &[u8]) {
        self.shared.write(bytes);
    }

    /// Writes several pieces as if they were one, without copying them together first.
    #[doc(alias = "writelines")]
    pub fn write_vectored(&self, pieces: &[io::IoSlice<'_>]) {
        self.shared.write_vectored(pieces);
    }

    /// Waits, if more was unsent than the high-water mark, until it is no more than the low one.
    /// Any number of tasks may wait.
    ///
    /// # Errors
    ///
    /// The first error of the connection, each time.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn drain(&self) -> io::Result<()> {
        self.shared.wait(|shared| !shared.is_paused()).await
    }

    /// Ends the write direction once everything is sent: the peer reads to its end. Reading goes
    /// on.
    #[doc(alias = "write_eof")]
    pub fn shutdown_write(&self) {
        self.shared.end();
    }

    /// Closes the connection in both directions, without waiting. A reader of the other half gets
    /// what it holds already and then the end, also if it waits.
    ///
    /// In the background, what is unsent is sent, the write direction ends, and what the peer still
    /// sends is read and discarded until the peer has ended too: to close a socket that holds
    /// unread bytes resets the connection (RFC 9293, section 3.6.1), which destroys what the peer
    /// has not received yet. [`StreamOptions::linger`](super::StreamOptions::linger) limits how
    /// long that may take.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Waits until everything is sent and the write direction has ended. It does not wait for the
    /// peer to end.
    ///
    /// # Errors
    ///
    /// The first error of the connection; kind `TimedOut` if the peer took nothing of what was
    /// unsent at the close for [`StreamOptions::linger`](super::StreamOptions::linger).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn wait_closed(&self) -> io::Result<()> {
        self.shared.wait(SharedStream::has_ended).await
    }

    /// Whether the writer was closed, or its write direction ended.
    pub fn is_closing(&self) -> bool {
        self.shared.is_ending()
    }

    /// Closes the connection at once: what is unsent is dropped, and the reader's stream ends.
    pub fn abort(&self) {
        self.shared.abort();
    }

    /// Makes dropping the writer [abort](StreamWriter::abort) the connection, instead of closing it
    /// in the background. A writer that was [closed](StreamWriter::close) before is closed in the
    /// background all the same.
    ///
    /// ```
    /// use std::future::pending;
    /// use std::time::Duration;
    ///
    /// evloop::block_on(async {
    ///     let server = evloop::start_server("127.0.0.1:0", async |_reader, writer| {
    ///         let writer = writer.abort_on_drop();
    ///         writer.write(b"hello\n");
    ///         // A handler that ends too late leaves nothing behind.
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

    /// Sets the marks by which [`drain`](StreamWriter::drain) goes, in bytes. Default: 16 and
    /// 64 KiB.
    ///
    /// # Panics
    ///
    /// If `low` is above `high`.
    pub fn set_write_buffer_limits(&self, low: usize, high: usize) {
        assert!(low <= high, "the low-water mark {low} must not be above the high one, {high}");
        self.shared.set_marks(low, high);
    }

    /// How many bytes are unsent.
    #[doc(alias = "get_write_buffer_size")]
    pub fn write_buffer_size(&self) -> usize {
        self.shared.unsent()
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
    /// As [`peer_addr`](StreamWriter::peer_addr).
    #[doc(alias = "get_extra_info")]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.socket.local_addr()
    }

    /// The connection. Who writes to it writes ahead of what is unsent.
    #[doc(alias = "transport")]
    pub fn get_ref(&self) -> &StreamSocket {
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
