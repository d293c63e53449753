//! The generic listener: a socket that accepts connections. Layer L4.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;

use super::connection::Connection;
use super::endpoint::Endpoint;
use super::tcp_stream::Tcp;
use super::transport::{Accept, Transport, done};
use crate::context;
use crate::current::leaf;
use crate::reactor::{Direction, Reactor, Socket, WaiterKey};
use crate::sys::{AcceptFailure, accept_failure};
use crate::time::{Sleep, now, sleep_until};

/// The time that `accept` waits after the process or the system ran out of descriptors, unless this
/// loop closes a descriptor earlier.
const STARVED_PAUSE: Duration = Duration::from_millis(100);

/// A socket that accepts connections: the generic type of [`TcpListener`](super::TcpListener) and,
/// on Unix, [`UnixListener`](super::UnixListener).
///
/// Several tasks may accept from one listener. Dropping the listener closes it.
///
/// ```
/// use evloop::net::{Listener, TcpListener, TcpStream, Transport};
///
/// async fn greet<T: Transport>(listener: &Listener<T>) -> std::io::Result<()> {
///     let (connection, _) = listener.accept().await?;
///     connection.write_all(b"hello").await
/// }
///
/// evloop::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let client = TcpStream::connect(listener.local_addr()?).await?;
///     greet(&listener).await?;
///     let mut buf = [0; 5];
///     client.read_exact(&mut buf).await?;
///     assert_eq!(&buf, b"hello");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub struct Listener<T: Transport> {
    end: Endpoint<T::Listener>,
    /// The time of the next attempt, after an accept found no descriptor left.
    starved_until: Cell<Option<Instant>>,
    /// The wait of [`poll_accept`](Listener::poll_accept).
    polled: Cell<Waiting>,
}

/// The stream of the connections of a listener, made by [`Listener::incoming`].
#[derive(Debug)]
#[must_use = "a stream does nothing unless it is polled"]
pub struct Incoming<'a, T: Transport = Tcp> {
    listener: &'a Listener<T>,
    waiting: Waiting,
}

/// The stream of the connections of a listener that it owns, made by [`Listener::into_incoming`].
#[derive(Debug)]
#[must_use = "a stream does nothing unless it is polled"]
pub struct IntoIncoming<T: Transport = Tcp> {
    listener: Listener<T>,
}

/// The registrations of one task that accepts.
#[derive(Debug, Default)]
struct Waiting {
    /// The waiter for a connection.
    connection: WaiterKey,
    /// The wait for a free descriptor, after an accept found none.
    descriptor: Option<Box<Starved>>,
}

/// A wait until a descriptor may be free.
struct Starved {
    reactor: Rc<Reactor>,
    waiter: WaiterKey,
    /// The timer that ends the wait.
    pause: Sleep,
}

impl<T: Transport> Listener<T> {
    /// Registers a listener of std with the running loop, and makes it non-blocking.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[track_caller]
    pub fn from_std(listener: T::StdListener) -> io::Result<Listener<T>> {
        Listener::register(listener, &context::expect(T::FROM_LISTENER).reactor)
    }

    pub(super) fn register(
        listener: T::StdListener,
        reactor: &Rc<Reactor>,
    ) -> io::Result<Listener<T>> {
        Ok(Listener::new(Endpoint::from_std(listener, reactor)?))
    }

    /// Registers a new listener that is non-blocking already.
    pub(super) fn from_mio(io: T::Listener, reactor: &Rc<Reactor>) -> io::Result<Listener<T>> {
        Ok(Listener::new(Endpoint::register(io, reactor)?))
    }

    fn new(end: Endpoint<T::Listener>) -> Listener<T> {
        Listener { end, starved_until: Cell::new(None), polled: Cell::default() }
    }

    /// Deregisters the listener from the loop, and returns it in its original mode; see
    /// [`Connection::into_std`].
    #[doc(alias = "detach")]
    pub fn into_std(self) -> io::Result<T::StdListener> {
        self.end.into_std()
    }

    /// Waits for a connection, and returns it with the address of its peer.
    ///
    /// # Errors
    ///
    /// The listener stays usable after every error; call `accept` again. A connection that its peer
    /// closed before it was accepted returns `ConnectionAborted`. If no descriptor is left (EMFILE,
    /// ENFILE, ENOBUFS, ENOMEM) the error is reported once. The next `accept` then waits until this
    /// loop closes a descriptor, at most 100 ms, before it tries again. Linux reports this error
    /// also while no connection is pending.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost.
    #[doc(alias = "sock_accept")]
    pub fn accept(&self) -> impl Future<Output = io::Result<(Connection<T>, T::Addr)>> {
        let mut incoming = self.incoming();
        leaf(move |cx| incoming.poll_accept(cx))
    }

    /// Accepts a connection as [`accept`](Listener::accept) does. At most one task waits in it: the
    /// last task that polled.
    ///
    /// ```
    /// use std::future::poll_fn;
    ///
    /// use evloop::net::{TcpListener, TcpStream};
    ///
    /// evloop::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (_stream, peer) = poll_fn(|cx| listener.poll_accept(cx)).await?;
    ///     assert_eq!(peer, client.local_addr()?);
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Connection<T>, T::Addr)>> {
        let mut waiting = self.polled.take();
        let polled = waiting.poll_accept(self, cx);
        if polled.is_ready() {
            waiting.deregister(self);
        }
        self.polled.set(waiting);
        polled
    }

    /// Returns the connections as a `Stream` that never ends. Dropping the stream loses no
    /// connection. Errors are items, and the stream continues after them.
    ///
    /// ```
    /// use evloop::net::{TcpListener, TcpStream};
    /// use futures_lite::StreamExt;
    ///
    /// evloop::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let stream = listener.incoming().next().await.unwrap()?;
    ///     assert_eq!(stream.peer_addr()?, client.local_addr()?);
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub fn incoming(&self) -> Incoming<'_, T> {
        Incoming { listener: self, waiting: Waiting::default() }
    }

    /// Returns the connections as a `Stream` that owns the listener; see
    /// [`incoming`](Listener::incoming).
    ///
    /// ```
    /// use evloop::net::{TcpListener, TcpStream};
    /// use futures_lite::StreamExt;
    ///
    /// evloop::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let addr = listener.local_addr()?;
    ///     let server = evloop::spawn(async move {
    ///         let mut connections = listener.into_incoming();
    ///         connections.next().await.unwrap()?.write_all(b"hello").await
    ///     });
    ///     let mut buf = [0; 5];
    ///     TcpStream::connect(addr).await?.read_exact(&mut buf).await?;
    ///     server.await.unwrap()
    /// }).unwrap();
    /// ```
    pub fn into_incoming(self) -> IntoIncoming<T> {
        IntoIncoming { listener: self }
    }

    pub(super) fn io(&self) -> &T::Listener {
        self.end.get()
    }

    /// Returns the local address.
    #[doc(alias = "getsockname")]
    pub fn local_addr(&self) -> io::Result<T::Addr> {
        self.io().local_addr()
    }
}

impl<T: Transport> Incoming<'_, T> {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Connection<T>, T::Addr)>> {
        self.waiting.poll_accept(self.listener, cx)
    }
}

impl Waiting {
    fn poll_accept<T: Transport>(
        &mut self,
        listener: &Listener<T>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Connection<T>, T::Addr)>> {
        ready!(self.poll_descriptor(listener, cx));
        let Listener { end: Endpoint { socket, .. }, starved_until, .. } = listener;
        let accepted = ready!(
            socket.poll_io(Direction::Read, cx, &mut self.connection, |io| { done(io.accept()) })
        );
        let accepted = accepted.and_then(|(stream, peer)| {
            let socket = Socket::new(stream, socket.reactor().clone(), true)?;
            Ok((Connection::new(socket), peer))
        });
        let is_starved = |error| accept_failure(error) == AcceptFailure::Starved;
        if accepted.as_ref().is_err_and(is_starved) {
            socket.reactor().descriptor_waiters().clear(Direction::Read);
            starved_until.set(Some(now() + STARVED_PAUSE));
        }
        Poll::Ready(accepted)
    }

    /// Waits until a descriptor may be free, if the last accept found none.
    fn poll_descriptor<T: Transport>(
        &mut self,
        listener: &Listener<T>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        while let Some(until) = listener.starved_until.get() {
            let reactor = listener.end.socket.reactor();
            let starved = self.descriptor.get_or_insert_with(|| Starved::until(until, reactor));
            ready!(starved.poll(until, cx));
            listener.starved_until.set(None);
        }
        self.descriptor = None;
        Poll::Ready(())
    }

    /// Ends the wait.
    fn deregister<T: Transport>(&mut self, listener: &Listener<T>) {
        listener.end.socket.deregister(Direction::Read, &mut self.connection);
        self.descriptor = None;
    }
}

impl Starved {
    #[cold]
    fn until(until: Instant, reactor: &Rc<Reactor>) -> Box<Starved> {
        let (reactor, waiter) = (reactor.clone(), WaiterKey::default());
        Box::new(Starved { reactor, waiter, pause: sleep_until(until) })
    }

    fn poll(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let descriptors = self.reactor.descriptor_waiters();
        if descriptors.poll_ready(Direction::Read, cx, &mut self.waiter).is_ready() {
            return Poll::Ready(());
        }
        if self.pause.deadline() < until {
            // Another task has tried since, and found no descriptor either.
            self.pause.reset(until);
        }
        Pin::new(&mut self.pause).poll(cx)
    }
}

impl Drop for Starved {
    fn drop(&mut self) {
        self.reactor.descriptor_waiters().deregister(Direction::Read, &mut self.waiter);
    }
}

impl fmt::Debug for Starved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Starved").field("pause", &self.pause).finish_non_exhaustive()
    }
}

impl<T: Transport> Drop for Incoming<'_, T> {
    fn drop(&mut self) {
        self.waiting.deregister(self.listener);
    }
}

impl<T: Transport> Stream for Incoming<'_, T> {
    type Item = io::Result<Connection<T>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_accept(cx).map(|accepted| Some(accepted.map(|(stream, _)| stream)))
    }
}

impl<T: Transport> Stream for IntoIncoming<T> {
    type Item = io::Result<Connection<T>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.listener.poll_accept(cx).map(|accepted| Some(accepted.map(|(stream, _)| stream)))
    }
}

impl<T: Transport> fmt::Debug for Listener<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt(f)
    }
}
