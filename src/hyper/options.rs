//! The options of an HTTP server. Layer L4.

use std::io;
use std::time::Duration;

use ::hyper::server::conn::{http1, http2};

use super::executor::Executor;
use super::timer::Timer;
use crate::world;

/// Which protocols a server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/2 if the client begins with its preface (RFC 9113, 3.4), else HTTP/1. This works in
    /// plain text, and over TLS whatever ALPN has selected: a client sends the preface there too.
    #[default]
    Any,
    /// HTTP/1.0 and HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// The options of a server.
///
/// ```
/// use evloop::hyper::{Protocol, ServerOptions};
///
/// let mut options = ServerOptions {
///     protocol: Protocol::Http1,
///     connection_limit: Some(1000),
///     ..Default::default()
/// };
/// options.http1.max_buf_size(64 * 1024);
/// ```
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Which protocols the server speaks.
    pub protocol: Protocol,
    /// How long the function of [`serve_with`](super::serve_with) may take until a connection is
    /// ready for requests: the time for a TLS handshake. The connection is closed then, so a client
    /// that stops in the handshake does not count towards the `connection_limit` for ever.
    /// Default: 10 seconds.
    #[doc(alias = "ssl_handshake_timeout")]
    pub handshake_timeout: Option<Duration>,
    /// How long a client may take for the head of a request; also the time that an HTTP/1
    /// connection may be idle between two requests, and the time for the first bytes of HTTP/2, its
    /// preface. The connection is closed then. It costs a timer a request. Later an HTTP/2
    /// connection may be idle without a limit: see `keep_alive_interval` of hyper. Default: 30
    /// seconds.
    pub header_timeout: Option<Duration>,
    /// The maximum number of connections. While so many are open, the server accepts none: further
    /// ones wait in the system's backlog. Must not be 0. Default: `None`, no limit.
    pub connection_limit: Option<usize>,
    /// Whether the server accepts connections from the start. If not, they wait in the system's
    /// backlog until [`Server::start_serving`](super::Server::start_serving). Default: `true`.
    pub start_serving: bool,
    /// Whether a service may take an HTTP/1 connection over by `hyper::upgrade::on`, as for
    /// WebSocket. The connection is then a [`Local`](crate::task::Local), whose lookups cost a few
    /// percent of a short request. HTTP/2 needs no option. Default: `false`.
    pub upgrades: bool,
    /// hyper's options for HTTP/1. `header_timeout` sets its `header_read_timeout`.
    pub http1: http1::Builder,
    /// hyper's options for HTTP/2.
    pub http2: http2::Builder<Executor>,
}

impl ServerOptions {
    /// Returns the options with those of hyper completed.
    ///
    /// # Errors
    ///
    /// If a limit is 0.
    pub(super) fn complete(&self) -> io::Result<ServerOptions> {
        if self.connection_limit == Some(0) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "ServerOptions::connection_limit is 0, so no connection could be accepted: choose \
                 a higher one, or None",
            ));
        }
        let mut options = self.clone();
        options.http1.timer(Timer).header_read_timeout(self.header_timeout);
        options.http2.timer(Timer);
        if world::here().is_some() {
            // hyper takes the date from the system's clock.
            options.http1.auto_date_header(false);
            options.http2.auto_date_header(false);
        }
        Ok(options)
    }
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions {
            protocol: Protocol::Any,
            handshake_timeout: Some(Duration::from_secs(10)),
            header_timeout: Some(Duration::from_secs(30)),
            connection_limit: None,
            start_serving: true,
            upgrades: false,
            http1: http1::Builder::new(),
            http2: http2::Builder::new(Executor),
        }
    }
}
