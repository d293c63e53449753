//! The generic listener: a socket that accepts connections. Layer L4.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
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
}

/// The stream of the connections of a listener, made by [`Listener::incoming`].
#[derive(Debug)]
#[must_use = "a stream does nothing unless it is polled"]
pub struct Incoming<'a, T: Transport = Tcp> {
    listener: &'a Listener<T>,
    /// The waiter for a connection.
    connection_waiter: WaiterKey,
    /// The waiter for a free descriptor.
    descriptor_waiter: WaiterKey,
    /// The timer that ends the wait for a free descriptor.
    pause: Option<Sleep>,
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
        let end = Endpoint::from_std(listener, reactor)?;
        Ok(Listener { end, starved_until: Cell::new(None) })
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
    pub async fn accept(&self) -> io::Result<(Connection<T>, T::Addr)> {
        let mut incoming = self.incoming();
        poll_fn(|cx| incoming.poll_accept(cx)).await
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
        let (connection_waiter, descriptor_waiter) = Default::default();
        Incoming { listener: self, connection_waiter, descriptor_waiter, pause: None }
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
        ready!(self.poll_descriptor(cx));
        let Listener { end: Endpoint { socket, .. }, starved_until } = self.listener;
        let accepted = ready!(socket.poll_io(
            Direction::Read,
            cx,
            &mut self.connection_waiter,
            |io| done(io.accept())
        ));
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
    fn poll_descriptor(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Listener { end: Endpoint { socket, .. }, starved_until } = self.listener;
        let starved = socket.reactor().descriptor_waiters();
        while let Some(until) = starved_until.get() {
            if starved.poll_ready(Direction::Read, cx, &mut self.descriptor_waiter).is_pending() {
                let pause = self.pause.get_or_insert_with(|| sleep_until(until));
                if pause.deadline() < until {
                    // Another task has tried since, and found no descriptor either.
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

impl<T: Transport> Drop for Incoming<'_, T> {
    fn drop(&mut self) {
        let socket = &self.listener.end.socket;
        socket.deregister(Direction::Read, &mut self.connection_waiter);
        socket
            .reactor()
            .descriptor_waiters()
            .deregister(Direction::Read, &mut self.descriptor_waiter);
    }
}

impl<T: Transport> Stream for Incoming<'_, T> {
    type Item = io::Result<Connection<T>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_accept(cx).map(|accepted| Some(accepted.map(|(stream, _)| stream)))
    }
}

impl<T: Transport> fmt::Debug for Listener<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt(f)
    }
}
