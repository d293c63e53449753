//! A server: listens, and serves each connection in a task of its own.

#[cfg(unix)]
use std::any::Any;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use super::handler::{ConnectionHandler, HandlerOutput};
use super::reader::StreamReader;
use super::server_options::ServerOptions;
use super::shared_stream::SharedStream;
use super::socket::StreamSocket;
use super::writer::StreamWriter;
use crate::net::{Acceptor, Connection, Connections, Listener, Transport};
use crate::time::timeout;

/// A server that [`start_server`](super::start_server()) started: asyncio's `Server`.
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

impl Server {
    /// Starts to accept the connections of `listeners`.
    pub(super) fn start<K, F, T>(
        listeners: Vec<Listener<K>>,
        addrs: Vec<SocketAddr>,
        options: ServerOptions,
        handler: F,
        started_at: &'static Location<'static>,
    ) -> Server
    where
        K: Transport,
        StreamSocket: From<Connection<K>>,
        F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
        T: HandlerOutput + 'static,
    {
        let connections = Connections::new(options.connection_limit, options.start_serving);
        let handler = Rc::new(handler);
        let acceptors = listeners.into_iter().map(|listener| {
            let handler = ConnectionHandler {
                handler: handler.clone(),
                options: options.clone(),
                connections: connections.clone(),
                started_at,
            };
            let serve =
                move |connection, peer| handler.serve(Into::into(connection), K::ip_addr(&peer));
            Acceptor::new(listener, &connections, started_at, serve).start()
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
    #[doc(alias = "server_port")]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Starts to accept connections, if the server does not: after
    /// [`pause_serving`](Server::pause_serving), or with [`ServerOptions::start_serving`] off.
    ///
    /// ```
    /// use evloop::streams::{ServerOptions, open_connection, start_server_with};
    ///
    /// evloop::block_on(async {
    ///     let options = ServerOptions { start_serving: false, ..Default::default() };
    ///     let server = start_server_with("127.0.0.1:0", &options, async |_reader, writer| {
    ///         writer.write("hello\n");
    ///     }).await?;
    ///     // The connection waits in the system's backlog.
    ///     let (mut reader, _writer) = open_connection(server.local_addrs()[0]).await?;
    ///     assert!(!server.is_serving());
    ///     server.start_serving();
    ///     assert_eq!(reader.read_line().await?, b"hello\n");
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    #[doc(alias = "start_accepting")]
    pub fn start_serving(&self) {
        self.connections.set_paused(false);
    }

    /// Stops accepting connections until [`start_serving`](Server::start_serving). New ones wait in
    /// the system's backlog; the open ones continue.
    #[doc(alias = "stop_accepting")]
    pub fn pause_serving(&self) {
        self.connections.set_paused(true);
    }

    /// Waits until the server is [closed](Server::close) and its last connection is closed. Any
    /// number of tasks may wait. [Starts](Server::start_serving) the server, if it does not accept.
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
        self.connections.serve_forever().await
    }

    /// Stops listening. The open connections continue. The addresses are free once
    /// [`wait_closed`](Server::wait_closed) has completed, or after the next turn of the loop.
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
    /// [linger](super::StreamOptions::linger) after its close; this waits for that too. A handler
    /// may run longer than its connection; [`stop`](Server::stop) waits for the handlers.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub async fn wait_closed(&self) {
        // Only a source that is registered with the selector can fail.
        let _ = self.connections.wait_closed().await;
    }

    /// Closes the server, waits at most `grace` until all its handlers and connections have ended,
    /// and then ends them: aborts the tasks of the handlers, and
    /// [aborts](Server::abort_clients) the connections. Returns how many handlers it aborted. This
    /// is gevent's `stop`.
    ///
    /// A handler that waits for its client learns nothing of this before the abort. To end such
    /// handlers at once, in order, call [`close`](Server::close) and
    /// [`close_clients`](Server::close_clients) first: their readers reach the end of the stream,
    /// and what they have written is still sent.
    ///
    /// # Cancel safety
    ///
    /// The server stays closed. The handlers and connections continue if `grace` has not passed.
    ///
    /// ```
    /// use std::future::pending;
    /// use std::time::Duration;
    ///
    /// evloop::block_on(async {
    ///     let server = evloop::start_server("127.0.0.1:0", async |_reader, writer| {
    ///         writer.write("hello\n");
    ///         pending::<()>().await;
    ///     }).await?;
    ///     let (mut reader, _writer) = evloop::open_connection(server.local_addrs()[0]).await?;
    ///     assert_eq!(reader.read_line().await?, b"hello\n");
    ///     assert_eq!(server.stop(Duration::from_millis(5)).await, 1);
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    #[doc(alias = "shutdown")]
    pub async fn stop(&self, grace: Duration) -> usize {
        self.close();
        if timeout(grace, self.connections.wait_ended()).await.is_ok() {
            return 0;
        }
        let aborted = self.connections.abort_handlers();
        self.abort_clients();
        self.connections.wait_ended().await;
        aborted
    }

    /// Returns whether the server accepts connections: it has started, and is neither paused nor
    /// closed. A server that is [full](Server::is_full) is still serving.
    pub fn is_serving(&self) -> bool {
        self.connections.is_serving()
    }

    /// Returns whether so many handlers run that the server accepts no connection; see
    /// [`ServerOptions::connection_limit`].
    #[doc(alias = "full")]
    pub fn is_full(&self) -> bool {
        self.connections.is_full()
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
