//! A server: listens, and serves each connection in a task of its own.

#[cfg(unix)]
use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::rc::Rc;

use super::acceptor::{Acceptor, HandlerOutput};
use super::connections::Connections;
use super::open::StreamOptions;
use super::reader::StreamReader;
use super::shared_stream::SharedStream;
use super::socket::StreamSocket;
use super::writer::StreamWriter;
use crate::net::{
    Connection, ListenOptions, Listener, TcpListener, ToAddrs, Transport, lookup_host,
};

/// The options of a server: of its listening sockets, and of the streams of its connections.
///
/// ```
/// use evloop::net::ListenOptions;
/// use evloop::streams::{ServerOptions, StreamOptions};
///
/// let options = ServerOptions {
///     listen: ListenOptions { backlog: 16, ..Default::default() },
///     streams: StreamOptions { limit: 1 << 20, ..Default::default() },
/// };
/// assert_eq!(options.listen.backlog, 16);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// The options of the listening sockets.
    pub listen: ListenOptions,
    /// The options of each connection.
    pub streams: StreamOptions,
}

/// A server that [`start_server`] started: asyncio's `Server`.
///
/// It serves until it is closed or dropped. The tasks of its connections continue after that; see
/// [`close_clients`](Server::close_clients).
///
/// ```
/// evloop::block_on(async {
///     let server = evloop::start_server("127.0.0.1:0", async |_reader, writer| {
///         writer.write(b"hello\n");
///     }).await?;
///     assert!(server.is_serving());
///     let (mut reader, _writer) = evloop::open_connection(server.local_addrs()[0]).await?;
///     assert_eq!(reader.read_to_end().await?, b"hello\n");
///     server.close();
///     server.close_clients();
///     server.wait_closed().await;
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[must_use = "dropping a Server closes it: keep it, or await its serve_forever"]
pub struct Server {
    addrs: Vec<SocketAddr>,
    connections: Rc<Connections<SharedStream>>,
}

/// Closes the server when `serve_forever` completes, fails or is dropped.
struct CloseOnDrop<'a>(&'a Server);

/// Listens on all addresses of `addr`, and calls `handler` with a reader and a writer for each
/// connection. The future that `handler` returns runs in a task of its own.
///
/// The connection [closes](StreamWriter::close) when the writer is dropped: at the latest when the
/// handler has returned or panicked. A handler returns `()` or a `Result`. Its error, its panic,
/// and the errors of accepting are reported to the loop's error handler, as in asyncio; see
/// [`Builder::on_task_error`](crate::runtime::Builder::on_task_error). The server continues, unless
/// a listener has failed permanently; see [`serve_forever`](Server::serve_forever).
///
/// With port 0 each address gets a port of its own; see [`local_addrs`](Server::local_addrs). If
/// there are several addresses, a socket of an IPv6 address accepts no IPv4 connections.
///
/// # Errors
///
/// As [`TcpListener::bind`], if one of the addresses cannot be listened on.
///
/// # Cancel safety
///
/// Dropping the future closes the sockets that it has opened.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// evloop::block_on(async {
///     let server = evloop::start_server("127.0.0.1:0", async |mut reader, writer| {
///         while let line @ [_, ..] = &*reader.read_line().await? {
///             writer.write(&line.to_ascii_uppercase());
///             writer.drain().await?;
///         }
///         std::io::Result::Ok(())
///     }).await?;
///
///     let (mut reader, writer) = evloop::open_connection(server.local_addrs()[0]).await?;
///     writer.write(b"hello\n");
///     assert_eq!(reader.read_line().await?, b"HELLO\n");
///     drop((reader, writer));
///     server.close();
///     server.wait_closed().await;
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn start_server<F, T>(
    addr: impl ToAddrs,
    handler: F,
) -> impl Future<Output = io::Result<Server>>
where
    F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
    T: HandlerOutput + 'static,
{
    start(addr, ServerOptions::default(), handler, Location::caller())
}

/// Starts a server as [`start_server`] does, with `options`.
///
/// # Errors
///
/// As [`start_server`]; kind `InvalidInput` if the limit of the streams is 0.
///
/// # Panics
///
/// Outside of a running loop.
#[track_caller]
pub fn start_server_with<F, T>(
    addr: impl ToAddrs,
    options: &ServerOptions,
    handler: F,
) -> impl Future<Output = io::Result<Server>>
where
    F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
    T: HandlerOutput + 'static,
{
    start(addr, options.clone(), handler, Location::caller())
}

async fn start<F, T>(
    addr: impl ToAddrs,
    options: ServerOptions,
    handler: F,
    started_at: &'static Location<'static>,
) -> io::Result<Server>
where
    F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
    T: HandlerOutput + 'static,
{
    options.streams.check()?;
    let addrs: Vec<_> = lookup_host(addr).await?.collect();
    let mut listen = options.listen;
    if addrs.len() > 1 {
        listen.only_v6 = listen.only_v6.or(Some(true));
    }
    let mut listeners = Vec::with_capacity(addrs.len());
    for addr in addrs {
        listeners.push(TcpListener::bind_with(addr, &listen).await?);
    }
    let addrs = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
    Ok(Server::start(listeners, addrs, options.streams, handler, started_at))
}

impl Server {
    /// Starts to accept the connections of `listeners`.
    pub(super) fn start<K, F, T>(
        listeners: Vec<Listener<K>>,
        addrs: Vec<SocketAddr>,
        options: StreamOptions,
        handler: F,
        started_at: &'static Location<'static>,
    ) -> Server
    where
        K: Transport,
        StreamSocket: From<Connection<K>>,
        F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
        T: HandlerOutput + 'static,
    {
        let (connections, handler) = (Connections::new(), Rc::new(handler));
        let acceptors = listeners.into_iter().map(|listener| {
            let handler = handler.clone();
            Acceptor::new(listener, handler, options.clone(), &connections, started_at).start()
        });
        connections.set_acceptors(acceptors.collect());
        Server { addrs, connections }
    }

    /// Stores the file of a Unix socket, which is removed when the server closes.
    #[cfg(unix)]
    pub(super) fn with_file(self, file: impl Any) -> Server {
        self.connections.set_file(file);
        self
    }

    /// Returns the addresses of the listening sockets; an empty slice for a Unix socket.
    #[doc(alias = "sockets")]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Waits until the server is [closed](Server::close) and its last connection is closed. Any
    /// number of tasks may wait.
    ///
    /// # Errors
    ///
    /// The error of a listener that can accept no more connections, for instance because it was
    /// shut down through a duplicate of its descriptor. The server is closed then; its connections
    /// continue. Kind `NotConnected` if the server was closed before the call.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the server, as cancelling does in asyncio.
    pub async fn serve_forever(&self) -> io::Result<()> {
        self.connections.check()?;
        if !self.is_serving() {
            let kind = io::ErrorKind::NotConnected;
            return Err(io::Error::new(kind, "the server was closed: start a new one"));
        }
        let _close = CloseOnDrop(self);
        self.connections.wait_closed_or_failed().await
    }

    /// Stops listening. The open connections continue. The addresses are free once
    /// [`wait_closed`](Server::wait_closed) has completed, or after the next turn of the loop.
    #[doc(alias = "stop")]
    pub fn close(&self) {
        self.connections.close();
    }

    /// [Closes](StreamWriter::close) all connections. Their readers reach the end of the stream.
    pub fn close_clients(&self) {
        self.connections.for_each(|shared| shared.close());
    }

    /// [Aborts](StreamWriter::abort) all connections: unsent bytes are dropped, and the readers
    /// reach the end of the stream.
    pub fn abort_clients(&self) {
        self.connections.for_each(|shared| shared.abort());
    }

    /// Waits until the server and its last connection are closed. A connection may
    /// [linger](StreamOptions::linger) after its close; this waits for that too.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub async fn wait_closed(&self) {
        // Only a source that is registered with the selector can fail.
        let _ = self.connections.wait_closed().await;
    }

    /// Returns whether the server has not been closed.
    pub fn is_serving(&self) -> bool {
        !self.connections.is_closed()
    }
}

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addrs", &self.addrs).finish_non_exhaustive()
    }
}
