//! A TCP server socket.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{self, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;

use super::addrs::{ToAddrs, resolve};
use super::listen;
use super::tcp_ops::whole;
use super::tcp_stream::TcpStream;
use crate::context;
use crate::reactor::Socket;
use crate::source::{Direction, WaiterKey};
use crate::time::{Sleep, now, sleep_until};

/// How long `accept` waits after the process or the system had no descriptor left, if this loop
/// closes none before.
const STARVED: Duration = Duration::from_millis(100);

/// A socket that accepts TCP connections.
///
/// Several tasks may accept from one listener. Dropping it stops listening.
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
pub struct TcpListener {
    socket: Socket<mio::net::TcpListener>,
    /// Since an accept found no descriptor left: until when none is tried.
    starved_until: Cell<Option<Instant>>,
}

/// The connections of a listener, one by one; made by [`TcpListener::incoming`].
#[derive(Debug)]
#[must_use = "a stream does nothing unless it is polled"]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
    /// Its place among who waits for a connection.
    connection: WaiterKey,
    /// Its place among who waits for a descriptor.
    descriptor: WaiterKey,
    /// While it waits for a descriptor.
    pause: Option<Sleep>,
}

/// How a [`TcpListener`] listens.
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
    /// Connections that the system completes ahead of `accept`. Default: 1024; the system may allow
    /// fewer (on Linux `net.core.somaxconn`).
    pub backlog: u32,
    /// Listen although connections of an earlier listener linger (SO_REUSEADDR). Default: on Unix,
    /// where it means no more than this.
    pub reuse_addr: bool,
    /// Share the port with other sockets that say so too (SO_REUSEPORT). Default: no. An error of
    /// kind `Unsupported` where the system has no such thing.
    pub reuse_port: bool,
    /// An IPv6 socket takes no IPv4 connections (IPV6_V6ONLY). Default: `None`, the system's way.
    pub only_v6: Option<bool>,
}

impl TcpListener {
    /// Listens on the first address of `addr` that can be listened on. Port 0 lets the system
    /// choose; see [`local_addr`](TcpListener::local_addr).
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if `addr` is no address; `AddrInUse`, `AddrNotAvailable`,
    /// `PermissionDenied` as the system says.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "create_server")]
    pub async fn bind(addr: impl ToAddrs) -> io::Result<TcpListener> {
        TcpListener::bind_with(addr, &ListenOptions::default()).await
    }

    /// Listens as `options` say.
    ///
    /// # Errors
    ///
    /// As [`bind`](TcpListener::bind).
    pub async fn bind_with(addr: impl ToAddrs, options: &ListenOptions) -> io::Result<TcpListener> {
        let mut failure = None;
        for addr in resolve(addr.target()?).await? {
            match listen::listen(addr, options).and_then(TcpListener::from_std) {
                Ok(listener) => return Ok(listener),
                Err(error) => failure = failure.or(Some((addr, error))),
            }
        }
        let (addr, error) = failure.expect("a name that is found has an address");
        Err(io::Error::new(error.kind(), format!("could not listen on {addr}: {error}")))
    }

    /// Takes a listener of std's into the running loop, and makes it non-blocking.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub fn from_std(listener: net::TcpListener) -> io::Result<TcpListener> {
        listener.set_nonblocking(true)?;
        let reactor = context::expect("TcpListener::from_std").reactor.clone();
        let socket = Socket::new(mio::net::TcpListener::from_std(listener), reactor, true)?;
        Ok(TcpListener { socket, starved_until: Cell::new(None) })
    }

    /// Takes the listener out of the loop. It is blocking again.
    pub fn into_std(self) -> io::Result<net::TcpListener> {
        let listener = net::TcpListener::from(self.socket.into_inner()?);
        listener.set_nonblocking(false)?;
        Ok(listener)
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// The listener goes on after every error; call `accept` again. A connection that was given up
    /// before it was accepted gives its error (`ConnectionAborted`). If no descriptor is left
    /// (EMFILE, ENFILE, ENOBUFS, ENOMEM) the error is reported once, and the next `accept` waits
    /// until this loop closes a descriptor, or 100 ms, before it tries again. Linux gives that
    /// error also while no connection waits.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost.
    #[doc(alias = "sock_accept")]
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let mut incoming = self.incoming();
        poll_fn(|cx| incoming.poll_accept(cx)).await
    }

    /// The connections, as a `Stream` that never ends; dropping it loses none. Errors are items:
    /// go on after them.
    pub fn incoming(&self) -> Incoming<'_> {
        let (connection, descriptor) = Default::default();
        Incoming { listener: self, connection, descriptor, pause: None }
    }

    pub(super) fn io(&self) -> &mio::net::TcpListener {
        self.socket.get()
    }

    /// The address listened on.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().local_addr()
    }
}

impl Incoming<'_> {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        ready!(self.poll_fed(cx));
        let TcpListener { socket, starved_until } = self.listener;
        let accepted = ready!(
            socket.poll_io(Direction::Read, cx, &mut self.connection, |io| { whole(io.accept()) })
        );
        let accepted = accepted.and_then(|(stream, peer)| {
            let socket = Socket::new(stream, socket.reactor().clone(), true)?;
            Ok((TcpStream::new(socket), peer))
        });
        if accepted.as_ref().is_err_and(listen::is_starved) {
            socket.reactor().starved().clear(Direction::Read);
            starved_until.set(Some(now() + STARVED));
        }
        Poll::Ready(accepted)
    }

    /// Waits, after a starved accept, until there may be descriptors again.
    fn poll_fed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let TcpListener { socket, starved_until } = self.listener;
        let starved = socket.reactor().starved();
        while let Some(until) = starved_until.get() {
            if starved.poll_ready(Direction::Read, cx, &mut self.descriptor).is_pending() {
                let pause = self.pause.get_or_insert_with(|| sleep_until(until));
                if pause.deadline() < until {
                    // Another that waits has tried meanwhile, and found that none is left still.
                    pause.reset(until);
                }
                ready!(Pin::new(pause).poll(cx));
            }
            starved_until.set(None);
        }
        self.pause = None;
        Poll::Ready(())
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        let socket = &self.listener.socket;
        socket.leave(Direction::Read, &mut self.connection);
        socket.reactor().starved().leave(Direction::Read, &mut self.descriptor);
    }
}

impl Stream for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_accept(cx).map(|accepted| Some(accepted.map(|(stream, _)| stream)))
    }
}

impl Default for ListenOptions {
    fn default() -> ListenOptions {
        ListenOptions { backlog: 1024, reuse_addr: cfg!(unix), reuse_port: false, only_v6: None }
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.get().fmt(f)
    }
}
