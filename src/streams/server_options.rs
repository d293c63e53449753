//! The options of a server.

use std::io;

use super::open::StreamOptions;
use crate::net::ListenOptions;

/// The options of a server: of its listening sockets, of accepting, and of the streams of its
/// connections.
///
/// ```
/// use evloop::net::ListenOptions;
/// use evloop::streams::{ServerOptions, StreamOptions};
///
/// let options = ServerOptions {
///     listen: ListenOptions { backlog: 16, ..Default::default() },
///     streams: StreamOptions { limit: 1 << 20, ..Default::default() },
///     connection_limit: Some(1000),
///     ..Default::default()
/// };
/// assert_eq!(options.listen.backlog, 16);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerOptions {
    /// The options of the sockets on which [`start_server_with`](super::start_server_with) listens.
    /// Unused for a Unix socket, and for listeners that exist.
    pub listen: ListenOptions,
    /// The options of each connection.
    pub streams: StreamOptions,
    /// The maximum number of handlers that run at a time. While so many run, the server accepts no
    /// connection: further ones wait in the system's backlog. A connection that lingers after its
    /// handler has ended does not count. Must not be 0. Default: `None`, no limit.
    #[doc(alias = "spawn")]
    pub connection_limit: Option<usize>,
    /// Whether the server accepts connections from the start. If not, they wait in the system's
    /// backlog until [`Server::start_serving`](super::Server::start_serving). Default: `true`.
    pub start_serving: bool,
    /// Whether the system probes idle TCP connections (SO_KEEPALIVE). Default: `false`. On Windows
    /// `true` is an error of kind `Unsupported`.
    #[doc(alias = "keep_alive")]
    pub keepalive: bool,
}

impl ServerOptions {
    /// # Errors
    ///
    /// If a limit is 0, or the system does not support an option.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.keepalive && cfg!(not(unix)) {
            let sentence = "ServerOptions::keepalive is supported on Unix only: leave it false";
            return Err(io::Error::new(io::ErrorKind::Unsupported, sentence));
        }
        match self.connection_limit {
            Some(0) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "ServerOptions::connection_limit is 0, so no connection could be accepted: choose \
                 a higher one, or None",
            )),
            _ => self.streams.check(),
        }
    }
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions {
            listen: ListenOptions::default(),
            streams: StreamOptions::default(),
            connection_limit: None,
            start_serving: true,
            keepalive: false,
        }
    }
}
