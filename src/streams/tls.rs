//! Connects and serves by TCP and TLS.

use std::future::Future;
use std::io;
use std::panic::Location;

use super::handler::HandlerOutput;
use super::open::{StreamOptions, open_connection_with};
use super::reader::StreamReader;
use super::server::Server;
use super::server_options::ServerOptions;
use super::start_server::start;
use super::start_tls::{start_tls_server_with, start_tls_with};
use super::writer::StreamWriter;
use crate::net::ToAddrs;
use crate::rustls::{TlsAcceptor, TlsConnector};

/// Connects by TCP and TLS, and returns the connection as a reader and a writer: asyncio's
/// `open_connection(ssl=…, server_hostname=…)`. `name` is the name of the server, a DNS name or an
/// IP address, which its certificate must have.
///
/// # Errors
///
/// As [`open_connection`](super::open_connection) and [`start_tls`](super::start_tls()).
///
/// # Cancel safety
///
/// Dropping the future closes the connections that it has opened.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```no_run
/// use evloop::rustls::TlsConnector;
/// use evloop::streams::open_connection_tls;
///
/// async fn fetch(connector: &TlsConnector) -> std::io::Result<Vec<u8>> {
///     let (mut reader, writer) =
///         open_connection_tls(("example.org", 443), "example.org", connector).await?;
///     writer.write("GET / HTTP/1.0\r\nHost: example.org\r\n\r\n");
///     reader.read_to_end().await
/// }
/// ```
pub async fn open_connection_tls(
    addr: impl ToAddrs,
    name: &str,
    connector: &TlsConnector,
) -> io::Result<(StreamReader, StreamWriter)> {
    open_connection_tls_with(addr, name, connector, &StreamOptions::default()).await
}

/// Connects as [`open_connection_tls`] does, with `options`.
///
/// # Errors
///
/// As [`open_connection_tls`]; kind `InvalidInput` if the limit is 0.
pub async fn open_connection_tls_with(
    addr: impl ToAddrs,
    name: &str,
    connector: &TlsConnector,
    options: &StreamOptions,
) -> io::Result<(StreamReader, StreamWriter)> {
    let (reader, writer) = open_connection_with(addr, options).await?;
    start_tls_with(reader, writer, name, connector, options).await
}

/// Starts a server as [`start_server`](super::start_server()) does, on TLS: asyncio's
/// `start_server(ssl=…)`. `handler` is called after the handshake.
///
/// The handshake runs in the task of its connection, so a client that is slow or silent delays no
/// other. It counts for [`ServerOptions::connection_limit`] until
/// [`StreamOptions::handshake_timeout`] has passed. The error of a handshake is reported as that of
/// a handler.
///
/// # Errors
///
/// As [`start_server`](super::start_server()).
///
/// # Cancel safety
///
/// Dropping the future closes the sockets that it has opened.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```no_run
/// use evloop::rustls::TlsAcceptor;
/// use evloop::streams::start_server_tls;
///
/// async fn serve(acceptor: TlsAcceptor) -> std::io::Result<()> {
///     let server = start_server_tls("0.0.0.0:4433", acceptor, async |mut reader, writer| {
///         writer.write(reader.read_line().await?.to_ascii_uppercase());
///         writer.drain().await
///     })
///     .await?;
///     server.serve_forever().await
/// }
/// ```
#[track_caller]
pub fn start_server_tls<F, T>(
    addr: impl ToAddrs,
    acceptor: TlsAcceptor,
    handler: F,
) -> impl Future<Output = io::Result<Server>>
where
    F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
    T: HandlerOutput + 'static,
{
    let options = ServerOptions::default();
    let handler = after_handshake(acceptor, options.streams.clone(), handler);
    start(addr, options, handler, Location::caller())
}

/// Starts a server as [`start_server_tls`] does, with `options`.
///
/// # Errors
///
/// As [`start_server_tls`]; kind `InvalidInput` if a limit is 0.
///
/// # Panics
///
/// Outside of a running loop.
#[track_caller]
pub fn start_server_tls_with<F, T>(
    addr: impl ToAddrs,
    acceptor: TlsAcceptor,
    options: &ServerOptions,
    handler: F,
) -> impl Future<Output = io::Result<Server>>
where
    F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
    T: HandlerOutput + 'static,
{
    let handler = after_handshake(acceptor, options.streams.clone(), handler);
    start(addr, options.clone(), handler, Location::caller())
}

/// Returns a handler of TCP connections that calls `handler` with the TLS connections.
fn after_handshake<F, T>(
    acceptor: TlsAcceptor,
    options: StreamOptions,
    handler: F,
) -> impl AsyncFn(StreamReader, StreamWriter) -> Result<(), String> + 'static
where
    F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
    T: HandlerOutput + 'static,
{
    async move |reader, writer| {
        let upgraded = start_tls_server_with(reader, writer, &acceptor, &options).await;
        let (reader, writer) = upgraded.map_err(|error| error.to_string())?;
        handler(reader, writer).await.error().map_or(Ok(()), Err)
    }
}
