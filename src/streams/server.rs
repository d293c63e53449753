//! Serving connections, each by a task of its own.

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

/// How a server listens, and how its streams are made.
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
    /// Of the listening sockets.
    pub listen: ListenOptions,
    /// Of each connection.
    pub streams: StreamOptions,
}

/// A server that [`start_server`] started: asyncio's `Server`.
///
/// It serves until it is closed or dropped. The tasks of its connections go on then; see
/// [`close_clients`](Server::close_clients).
#[must_use = "dropping a Server closes it: keep it, or await its serve_forever"]
pub struct Server {
    addrs: Vec<SocketAddr>,
    connections: Rc<Connections<SharedStream>>,
}

/// Closes the server when a `serve_forever` ends, however it does.
struct CloseOnDrop<'a>(&'a Server);

/// Listens on all addresses of `addr`, and calls `handler` with a reader and a writer for each
/// connection. What it returns runs as a task.
///
/// The connection [closes](StreamWriter::close) when the writer is dropped, as it is when the
/// handler has ended or panicked. A handler gives `()` or a `Result`: its error, its panic, and
/// what goes wrong with accepting are told to the loop's handler, as asyncio does; see
/// [`Builder::on_task_error`](crate::runtime::Builder::on_task_error). The server goes on, unless a
/// listener has failed for good; see [`serve_forever`](Server::serve_forever).
///
/// With port 0 each address gets a port of its own; see [`local_addrs`](Server::local_addrs). If
/// there are several addresses, an IPv6 one takes no IPv4 connections.
///
/// # Errors
///
/// As [`TcpListener::bind`], if one of the addresses cannot be listened on.
///
/// # Cancel safety
///
/// Dropping the future closes what it has opened.
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

/// The same, as `options` say.
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
    Ok(Server::of(listeners, addrs, options.streams, handler, started_at))
}

impl Server {
    /// Serves the connections of `listeners`.
    pub(super) fn of<K, F, T>(
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

    /// Goes with the server: the file of a Unix socket.
    #[cfg(unix)]
    pub(super) fn with_file(self, file: impl Any) -> Server {
        self.connections.set_file(file);
        self
    }

    /// The addresses listened on; none, if it is a Unix socket.
    #[doc(alias = "sockets")]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Serves until the server is [closed](Server::close) and its last connection is. Any number of
    /// tasks may wait here.
    ///
    /// # Errors
    ///
    /// The listener's, if one can accept no connection any more, such as one that was shut down
    /// through a duplicate of its descriptor. The server was closed then; its connections go on.
    /// Kind `NotConnected` if it was closed before.
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
        self.connections.all_served().await
    }

    /// Stops listening. Connections that are there go on. The addresses are free once
    /// [`wait_closed`](Server::wait_closed) has completed, or once the loop has gone round.
    pub fn close(&self) {
        self.connections.close();
    }

    /// [Closes](StreamWriter::close) all connections. Their readers come to the end of the stream.
    pub fn close_clients(&self) {
        self.connections.for_each(|shared| shared.close());
    }

    /// Closes all connections at once: what is unsent is dropped, and their readers come to the end
    /// of the stream.
    pub fn abort_clients(&self) {
        self.connections.for_each(|shared| shared.abort());
    }

    /// Waits until the server was closed and its last connection is. Connections that were closed
    /// may [linger](StreamOptions::linger) before.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub async fn wait_closed(&self) {
        // It fails only for what a selector is behind.
        let _ = self.connections.all_gone().await;
    }

    /// Whether it has not been closed.
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
