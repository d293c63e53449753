//! Opens a connection as a reader and a writer.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use super::reader::StreamReader;
use super::shared_stream::SharedStream;
use super::socket::StreamSocket;
use super::writer::StreamWriter;
use crate::net::{TcpStream, ToAddrs};

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
    options.check()?;
    from_tcp(TcpStream::connect(addr).await?, options)
}

/// Returns a reader and a writer of an existing connection, such as an accepted one.
///
/// Small writes are sent at once (TCP_NODELAY), as in asyncio.
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

/// Returns the reader and the writer of a connection.
pub(super) fn pair(socket: StreamSocket, options: &StreamOptions) -> (StreamReader, StreamWriter) {
    let shared = Rc::new(SharedStream::new(socket, options.linger));
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
    #[cfg(unix)]
    #[track_caller]
    pub(super) fn expect_valid(&self) {
        if let Err(error) = self.check() {
            panic!("{error}");
        }
    }
}

impl Default for StreamOptions {
    fn default() -> StreamOptions {
        StreamOptions { limit: 64 * 1024, linger: Duration::from_secs(30) }
    }
}
