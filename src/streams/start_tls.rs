//! Upgrades a connection to TLS: asyncio's `start_tls`, and STARTTLS of SMTP, IMAP and others.

use std::io;
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::beneath::Beneath;
use super::io_stream::{Addrs, IoStream};
use super::open::{StreamOptions, pair};
use super::reader::StreamReader;
use super::shared_stream::SharedStream;
use super::socket::StreamSocket;
use super::writer::StreamWriter;
use crate::rustls::{Tls, TlsAcceptor, TlsConnector, TlsInfo};
use crate::time::timeout;

/// Upgrades a connection to TLS, as the client: asyncio's `start_tls`. `name` is the name of the
/// server, a DNS name or an IP address, which its certificate must have. Returns the streams of the
/// TLS connection, with the limits of the reader and of the writer.
///
/// What was written before is sent first, in the clear. The connection may be of any kind: TCP, a
/// Unix socket, [`from_io`](super::from_io).
///
/// # Errors
///
/// - Kind `InvalidInput` if `name` is no name of a server, or the streams are not of one
///   connection.
/// - Kind `InvalidData` if the reader holds bytes that were not read: an attacker may have sent
///   them in the clear, to have them taken for bytes of the TLS connection (STARTTLS injection).
///   Also if the handshake fails: the certificate is not valid, the peer sends no TLS.
/// - Kind `UnexpectedEof` if the peer ends the connection during the handshake.
/// - Kind `TimedOut` if the handshake takes longer than [`StreamOptions::handshake_timeout`].
///
/// The connection is closed then.
///
/// # Cancel safety
///
/// Dropping the future closes the connection.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```no_run
/// use evloop::rustls::TlsConnector;
/// use evloop::streams::start_tls;
/// use std::io;
///
/// async fn connect(host: &str, connector: &TlsConnector) -> io::Result<()> {
///     let (mut reader, writer) = evloop::open_connection((host, 587)).await?;
///     assert!(reader.read_line().await?.starts_with(b"220"));
///     writer.write("STARTTLS\r\n");
///     assert!(reader.read_line().await?.starts_with(b"220"));
///     let (mut reader, writer) = start_tls(reader, writer, host, connector).await?;
///     writer.write("QUIT\r\n");
///     assert!(reader.read_line().await?.starts_with(b"221"));
///     Ok(())
/// }
/// ```
pub async fn start_tls(
    reader: StreamReader,
    writer: StreamWriter,
    name: &str,
    connector: &TlsConnector,
) -> io::Result<(StreamReader, StreamWriter)> {
    let options = options_of(&reader, &writer);
    start_tls_with(reader, writer, name, connector, &options).await
}

/// Does the same as [`start_tls`], with the options of the new streams.
///
/// # Errors
///
/// As [`start_tls`]; kind `InvalidInput` if the limit is 0.
pub async fn start_tls_with(
    reader: StreamReader,
    writer: StreamWriter,
    name: &str,
    connector: &TlsConnector,
    options: &StreamOptions,
) -> io::Result<(StreamReader, StreamWriter)> {
    upgrade(reader, writer, options, |io| Tls::connect(io, name, connector)).await
}

/// Upgrades a connection to TLS, as the server: [`start_tls`] of the other side.
///
/// # Errors
///
/// As [`start_tls`].
///
/// # Cancel safety
///
/// Dropping the future closes the connection.
///
/// # Panics
///
/// Outside of a running loop.
#[doc(alias = "start_tls")]
pub async fn start_tls_server(
    reader: StreamReader,
    writer: StreamWriter,
    acceptor: &TlsAcceptor,
) -> io::Result<(StreamReader, StreamWriter)> {
    let options = options_of(&reader, &writer);
    start_tls_server_with(reader, writer, acceptor, &options).await
}

/// Does the same as [`start_tls_server`], with the options of the new streams.
///
/// # Errors
///
/// As [`start_tls`]; kind `InvalidInput` if the limit is 0.
pub async fn start_tls_server_with(
    reader: StreamReader,
    writer: StreamWriter,
    acceptor: &TlsAcceptor,
    options: &StreamOptions,
) -> io::Result<(StreamReader, StreamWriter)> {
    upgrade(reader, writer, options, |io| Ok(Tls::accept(io, acceptor))).await
}

/// Returns the options with which the streams were made.
fn options_of(reader: &StreamReader, writer: &StreamWriter) -> StreamOptions {
    let (limit, linger) = (reader.limit, writer.shared.linger);
    StreamOptions { limit, linger, ..StreamOptions::default() }
}

async fn upgrade(
    reader: StreamReader,
    writer: StreamWriter,
    options: &StreamOptions,
    tls: impl FnOnce(Beneath) -> io::Result<Tls<Beneath>>,
) -> io::Result<(StreamReader, StreamWriter)> {
    options.check()?;
    check_unread(&reader, &writer)?;
    let (clear, aborts_on_drop) = (writer.shared.clone(), writer.aborts_on_drop);
    let stream = IoStream::new(tls(Beneath::new(writer))?, "start_tls");
    stream.set_addrs(&clear);
    stream.is_unflushed.set(true);
    let (reader, writer) = pair(StreamSocket::Io(stream), options);
    let (low, high) = clear.marks();
    writer.set_write_buffer_limits(low, high);
    clear.set_target_of_entry(Rc::downgrade(&writer.shared));
    // If this future is dropped, the connection closes at once.
    let mut writer = writer.abort_on_drop();
    let handshake = async {
        clear.wait(SharedStream::has_sent).await?;
        // A flush completes the handshake.
        writer.shared.wait(SharedStream::has_sent).await
    };
    match timeout(options.handshake_timeout, handshake).await {
        Ok(Ok(())) => {
            writer.aborts_on_drop = aborts_on_drop;
            Ok((reader, writer))
        }
        Ok(Err(error)) => {
            // Lingers: a reset would destroy the alert that says why.
            clear.close();
            Err(error)
        }
        Err(_) => {
            // The drop would not abort a connection that its server has closed.
            writer.abort();
            Err(too_slow(options.handshake_timeout))
        }
    }
}

/// # Errors
///
/// If bytes were received before the handshake, or the streams are not of one connection.
fn check_unread(reader: &StreamReader, writer: &StreamWriter) -> io::Result<()> {
    if !Rc::ptr_eq(&reader.shared, &writer.shared) {
        let sentence = "start_tls was called with the reader and the writer of two connections";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, sentence));
    }
    match reader.buffer.len() {
        0 => Ok(()),
        n => {
            let sentence = format!(
                "start_tls was called while {n} received bytes were unread: they were sent in the \
                 clear, and may not count as bytes of the TLS connection (STARTTLS injection)"
            );
            Err(io::Error::new(io::ErrorKind::InvalidData, sentence))
        }
    }
}

#[cold]
fn too_slow(limit: Duration) -> io::Error {
    let sentence = format!(
        "the TLS handshake took longer than {limit:?}, which StreamOptions::handshake_timeout sets"
    );
    io::Error::new(io::ErrorKind::TimedOut, sentence)
}

impl SharedStream {
    /// Makes another connection, which runs on this one, the target of this one's entry: the server
    /// closes the other one. The entry is removed when this connection closes.
    fn set_target_of_entry(&self, target: Weak<SharedStream>) {
        if let Some(entry) = self.entry.take() {
            entry.set_target(target);
            self.entry.set(Some(entry));
        }
    }
}

impl IoStream {
    /// Stores the addresses of the connection on which this one runs, if it is a TCP connection.
    fn set_addrs(&self, beneath: &SharedStream) {
        let addrs = (beneath.peer_addr(), beneath.socket.local_addr());
        if let (Ok(peer), Ok(local)) = addrs {
            let _ = self.addrs.set(Box::new(Addrs { peer, local }));
        }
    }

    fn tls_info(&self) -> Option<TlsInfo> {
        self.with(|tls: &mut Tls<Beneath>| tls.info()).flatten()
    }
}

impl StreamReader {
    /// Returns what the TLS handshake has agreed on: the protocol (ALPN), the certificates of the
    /// peer. `None` if it is no connection of [`start_tls`] and its like, or it is closed.
    #[doc(alias = "get_extra_info")]
    pub fn tls_info(&self) -> Option<TlsInfo> {
        self.shared.socket.as_io()?.tls_info()
    }
}

impl StreamWriter {
    /// Returns what the TLS handshake has agreed on: the protocol (ALPN), the certificates of the
    /// peer. `None` if it is no connection of [`start_tls`] and its like, or it is closed.
    #[doc(alias = "get_extra_info")]
    pub fn tls_info(&self) -> Option<TlsInfo> {
        self.shared.socket.as_io()?.tls_info()
    }
}
