//! An HTTP server that runs. Layer L4.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use super::connection::Control;
use crate::net::Connections;
use crate::time::timeout;

/// A server that [`serve`](super::serve()) started. Its methods are those of
/// [`streams::Server`](crate::Server), but closing a connection completes its requests.
///
/// It serves until it is closed or dropped. Its connections continue after that; see
/// [`close_clients`](Server::close_clients).
#[must_use = "dropping a Server closes it: keep it, or await its serve_forever"]
pub struct Server {
    addrs: Vec<SocketAddr>,
    connections: Rc<Connections<Control>>,
}

impl Server {
    pub(super) fn new(addrs: Vec<SocketAddr>, connections: Rc<Connections<Control>>) -> Server {
        Server { addrs, connections }
    }

    /// Returns the address of the listening socket; an empty slice for a Unix socket.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Starts to accept connections, if the server does not: after
    /// [`pause_serving`](Server::pause_serving), or with
    /// [`ServerOptions::start_serving`](super::ServerOptions::start_serving) off.
    pub fn start_serving(&self) {
        self.connections.set_paused(false);
    }

    /// Stops accepting connections until [`start_serving`](Server::start_serving). New ones wait in
    /// the system's backlog; the open ones continue.
    pub fn pause_serving(&self) {
        self.connections.set_paused(true);
    }

    /// Waits until the server is [closed](Server::close) and its last connection has ended.
    /// [Starts](Server::start_serving) the server, if it does not accept.
    ///
    /// # Errors
    ///
    /// The error of a listener that can accept no more connections. The server is closed then; its
    /// connections continue. Kind `NotConnected` if the server was closed before the call.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the server.
    pub async fn serve_forever(&self) -> io::Result<()> {
        self.connections.serve_forever().await
    }

    /// Stops listening. The open connections continue, with new requests too.
    pub fn close(&self) {
        self.connections.close();
    }

    /// Ends the open connections in order: requests that have begun are completed. Idle connections
    /// and those in their handshake are closed at once. No further request is taken. A client of
    /// HTTP/1 gets `connection: close` with its response. A client of HTTP/2 gets a GOAWAY and a
    /// PING, and its connection is closed when it has answered. A client that never answers, or
    /// that never reads its response, keeps its connection open: [`stop`](Server::stop) has a limit
    /// for that.
    #[doc(alias = "graceful_shutdown")]
    pub fn close_clients(&self) {
        self.connections.for_each(|control| control.close());
    }

    /// Ends the open connections at once, whatever they do. The futures of their requests are
    /// dropped; of HTTP/2, when they are next polled.
    pub fn abort_clients(&self) {
        self.connections.abort_handlers();
    }

    /// Waits until the server and its last connection are closed. A connection that was upgraded,
    /// to WebSocket for instance, does not count any more.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub async fn wait_closed(&self) {
        self.connections.wait_ended().await;
    }

    /// Closes the server and ends its connections in order, as
    /// [`close_clients`](Server::close_clients) does. Waits at most `grace` for that, and then
    /// aborts the connections that are left. Returns their number.
    ///
    /// # Cancel safety
    ///
    /// The server stays closed. Its connections end in order, without a limit.
    #[doc(alias = "with_graceful_shutdown")]
    pub async fn stop(&self, grace: Duration) -> usize {
        self.close();
        self.close_clients();
        if timeout(grace, self.connections.wait_ended()).await.is_ok() {
            return 0;
        }
        let aborted = self.connections.abort_handlers();
        self.connections.wait_ended().await;
        aborted
    }

    /// Returns whether the server accepts connections: it has started, and is neither paused nor
    /// closed. A server that is [full](Server::is_full) is still serving.
    pub fn is_serving(&self) -> bool {
        self.connections.is_serving()
    }

    /// Returns whether so many connections are open that the server accepts none; see
    /// [`ServerOptions::connection_limit`](super::ServerOptions::connection_limit).
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
