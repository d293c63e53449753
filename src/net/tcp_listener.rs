//! The TCP listener. Layer L4.

use std::io;

use super::addrs::{ToAddrs, bind_error, resolve};
use super::listener::Listener;
use super::system;
use super::tcp_stream::Tcp;
use crate::context;
use crate::current::budget;

/// A socket that accepts TCP connections.
///
/// ```
/// use evloop::net::{TcpListener, TcpStream};
///
/// evloop::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let client = TcpStream::connect(listener.local_addr()?).await?;
///     let (_stream, peer) = listener.accept().await?;
///     assert_eq!(peer, client.local_addr()?);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub type TcpListener = Listener<Tcp>;

/// The options of [`TcpListener::bind_with`].
///
/// ```
/// use evloop::net::{ListenOptions, TcpListener};
///
/// evloop::block_on(async {
///     let options = ListenOptions { backlog: 16, ..ListenOptions::default() };
///     let listener = TcpListener::bind_with("127.0.0.1:0", &options).await?;
///     assert_ne!(listener.local_addr()?.port(), 0);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenOptions {
    /// The number of connections that the system completes ahead of `accept`. Default: 1024. The
    /// system may allow fewer (on Linux `net.core.somaxconn`).
    pub backlog: u32,
    /// Listen although connections of an earlier listener still exist (SO_REUSEADDR). Default:
    /// `true` on Unix; `false` on Windows, where the option also lets another socket take the port.
    #[doc(alias = "reuse_address")]
    pub reuse_addr: bool,
    /// Share the port with other sockets that set this option (SO_REUSEPORT). Default: `false`. An
    /// error of kind `Unsupported` on systems without the option.
    pub reuse_port: bool,
    /// Whether an IPv6 socket refuses IPv4 connections (IPV6_V6ONLY). Default: `None`, the system's
    /// default. On Windows that default is `Some(true)`, and `Some(false)` is an error of kind
    /// `Unsupported`.
    pub only_v6: Option<bool>,
}

impl TcpListener {
    /// Listens on the first address of `addr` that the system accepts. With port 0 the system
    /// chooses the port; see [`local_addr`](TcpListener::local_addr).
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if `addr` is not an address. The system's error otherwise: `AddrInUse`,
    /// `AddrNotAvailable`, `PermissionDenied`.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "create_server")]
    #[doc(alias = "open_tcp_listeners")]
    #[doc(alias = "listen")]
    pub async fn bind(addr: impl ToAddrs) -> io::Result<TcpListener> {
        TcpListener::bind_with(addr, &ListenOptions::default()).await
    }

    /// Listens with the given options, as [`bind`](TcpListener::bind) does.
    ///
    /// # Errors
    ///
    /// As [`bind`](TcpListener::bind).
    pub async fn bind_with(addr: impl ToAddrs, options: &ListenOptions) -> io::Result<TcpListener> {
        let context = context::expect("TcpListener::bind");
        budget::unit().await;
        let ListenOptions { backlog, reuse_addr, reuse_port, only_v6 } = *options;
        let mut failure = None;
        for addr in resolve(addr.target()?).await? {
            match system::listen(addr, backlog, reuse_addr, reuse_port, only_v6)
                .and_then(|listener| TcpListener::from_mio(listener, &context.reactor))
            {
                Ok(listener) => return Ok(listener),
                Err(error) => failure = failure.or(Some((addr, error))),
            }
        }
        let (addr, error) = failure.expect("resolve returns at least one address");
        Err(bind_error("listen on", addr, error))
    }

    /// Sets the number of routers that a packet of a connection may pass (IP_TTL).
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io().set_ttl(ttl)
    }

    /// Returns the number of routers that a packet of a connection may pass; see
    /// [`set_ttl`](TcpListener::set_ttl).
    pub fn ttl(&self) -> io::Result<u32> {
        self.io().ttl()
    }
}

impl Default for ListenOptions {
    fn default() -> ListenOptions {
        ListenOptions { backlog: 1024, reuse_addr: cfg!(unix), reuse_port: false, only_v6: None }
    }
}
