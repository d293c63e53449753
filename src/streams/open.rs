//! Opens a connection as a reader and a writer.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};

use super::io_stream::IoStream;
use super::reader::StreamReader;
use super::shared_stream::SharedStream;
use super::socket::StreamSocket;
use super::writer::StreamWriter;
use crate::context;
use crate::net::{ConnectOptions, TcpStream, ToAddrs};

/// The options of a reader and a writer.
///
/// ```
/// let options = evloop::streams::StreamOptions { limit: 1 << 20, ..Default::default() };
/// assert_eq!(options.limit, 1_048_576);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamOptions {
    /// The maximum length of a line, or of another piece that ends with a separator, in bytes
    /// without the separator. Must not be 0. Default: 64 KiB.
    pub limit: usize,
    /// How long a closed connection may linger in the background before it is aborted. Default: 30
    /// seconds.
    ///
    /// First the unsent bytes are sent: the peer must accept some of them within each such period.
    /// Then the bytes that the peer still sends are read and discarded, for one such period at
    /// most. This second phase ends earlier if nothing arrives for 2 seconds, or after 16 MiB. With
    /// zero, the connection closes at once, and the bytes that the system does not accept are
    /// dropped.
    pub linger: Duration,
    /// How long a TLS handshake may take, before it fails with kind `TimedOut`; unused without the
    /// feature `rustls`. Default: 10 seconds.
    #[doc(alias = "ssl_handshake_timeout")]
    pub handshake_timeout: Duration,
    /// How [`open_connection_with`] connects; otherwise unused. Default: as [`TcpStream::connect`].
    ///
    /// ```
    /// use evloop::net::{ConnectOptions, TcpListener};
    /// use evloop::streams::{StreamOptions, open_connection_with};
    ///
    /// evloop::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let local_addr = Some(([127, 0, 0, 1], 0).into());
    ///     let connect = ConnectOptions { local_addr, ..Default::default() };
    ///     let options = StreamOptions { connect, ..Default::default() };
    ///     let (_reader, _writer) = open_connection_with(listener.local_addr()?, &options).await?;
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub connect: ConnectOptions,
}

/// Connects, and returns the connection as a reader and a writer, as asyncio does.
///
/// Keep the writer while you read: dropping it [closes](StreamWriter::close) the connection.
///
/// # Errors
///
/// As [`TcpStream::connect`].
///
/// # Cancel safety
///
/// Dropping the future closes the connections that it has opened.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// use evloop::net::TcpListener;
///
/// evloop::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let (mut reader, writer) = evloop::open_connection(listener.local_addr()?).await?;
///     let (peer, _) = listener.accept().await?;
///     peer.write_all(b"220 ready\r\n").await?;
///     assert_eq!(reader.read_line().await?, b"220 ready\r\n");
///     writer.write(b"QUIT\r\n");
///     writer.drain().await?;
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub async fn open_connection(addr: impl ToAddrs) -> io::Result<(StreamReader, StreamWriter)> {
    open_connection_with(addr, &StreamOptions::default()).await
}

/// Connects as [`open_connection`] does, with `options`.
///
/// # Errors
///
/// As [`TcpStream::connect`]; kind `InvalidInput` if the limit is 0.
pub async fn open_connection_with(
    addr: impl ToAddrs,
    options: &StreamOptions,
) -> io::Result<(StreamReader, StreamWriter)> {
    drop(context::expect("open_connection"));
    options.check()?;
    from_tcp(TcpStream::connect_with(addr, &options.connect).await?, options)
}

/// Returns a reader and a writer of an existing connection, such as an accepted one.
///
/// The system sends also few bytes at once (TCP_NODELAY), as in asyncio.
///
/// # Errors
///
/// If the system refuses TCP_NODELAY; kind `InvalidInput` if the limit is 0.
///
/// ```
/// use evloop::net::{TcpListener, TcpStream};
/// use evloop::streams::{self, StreamOptions};
///
/// evloop::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let _client = TcpStream::connect(listener.local_addr()?).await?;
///     let (stream, _) = listener.accept().await?;
///     let (_reader, writer) = streams::from_tcp(stream, &StreamOptions::default())?;
///     writer.write(b"220 ready\r\n");
///     writer.drain().await
/// }).unwrap();
/// ```
pub fn from_tcp(
    stream: TcpStream,
    options: &StreamOptions,
) -> io::Result<(StreamReader, StreamWriter)> {
    options.check()?;
    stream.set_nodelay(true)?;
    Ok(pair(StreamSocket::Tcp(stream), options))
}

/// Returns a reader and a writer of any connection that implements the traits of futures-io, such
/// as a TLS connection or one in memory. They have the same guarantees as over a socket: reads are
/// cancel safe, a write never waits and is sent in the background, and `drain` waits.
///
/// What a task writes before it yields is written and flushed together. Ending the write direction
/// calls `poll_close` of the connection, which must leave its reads working, as TLS and sockets do.
/// The connection is dropped once it is closed: at the latest [`StreamOptions::linger`] after the
/// writer is. A task waits for it, so that each direction wakes both halves; another one sends. For
/// a reader and a writer that are two objects, see [`io::join`](crate::io::join()).
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// evloop::block_on(async {
///     let (one, other) = evloop::io::duplex(4);
///     let (_reader, writer) = evloop::streams::from_io(one);
///     let (mut reader, _writer) = evloop::streams::from_io(other);
///     writer.write("more than the connection holds\n");
///     assert_eq!(reader.read_line().await?, b"more than the connection holds\n");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn from_io(io: impl AsyncRead + AsyncWrite + Unpin + 'static) -> (StreamReader, StreamWriter) {
    from_io_with(io, &StreamOptions::default())
}

/// Does the same as [`from_io`], with `options`.
///
/// # Panics
///
/// Outside of a running loop; if the limit is 0.
#[track_caller]
pub fn from_io_with(
    io: impl AsyncRead + AsyncWrite + Unpin + 'static,
    options: &StreamOptions,
) -> (StreamReader, StreamWriter) {
    options.expect_valid();
    pair(StreamSocket::Io(IoStream::new(io, "from_io")), options)
}

/// Returns the reader and the writer of a connection.
pub(super) fn pair(socket: StreamSocket, options: &StreamOptions) -> (StreamReader, StreamWriter) {
    let shared = Rc::new(SharedStream::new(socket, options.linger));
    if let Some(io) = shared.socket.as_io() {
        let shared = Rc::downgrade(&shared);
        io.set_send(move || {
            if let Some(shared) = shared.upgrade() {
                shared.end_turn();
            }
        });
    }
    (StreamReader::new(shared.clone(), options.limit), StreamWriter::new(shared))
}

impl StreamOptions {
    /// # Errors
    ///
    /// If the limit is 0.
    pub(super) fn check(&self) -> io::Result<()> {
        match self.limit {
            0 => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "StreamOptions::limit is 0, so no line could be read: choose a higher one",
            )),
            _ => Ok(()),
        }
    }

    /// # Panics
    ///
    /// If the limit is 0.
    #[track_caller]
    pub(super) fn expect_valid(&self) {
        if let Err(error) = self.check() {
            panic!("{error}");
        }
    }
}

impl Default for StreamOptions {
    fn default() -> StreamOptions {
        StreamOptions {
            limit: 64 * 1024,
            linger: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            connect: ConnectOptions::default(),
        }
    }
}
