//! A server socket: connections, one by one.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;

use super::connection::Connection;
use super::endpoint::Endpoint;
use super::tcp_stream::Tcp;
use super::transport::{Accept, Transport, whole};
use crate::reactor::{Direction, Socket, WaiterKey};
use crate::sys::{AcceptFailure, accept_failure};
use crate::time::{Sleep, now, sleep_until};

/// How long `accept` waits after the process or the system had no descriptor left, if this loop
/// closes none before.
const STARVED: Duration = Duration::from_millis(100);

/// A socket that accepts connections, of which [`TcpListener`](super::TcpListener) is one kind and,
/// on Unix, [`UnixListener`](super::UnixListener) another.
///
/// Several tasks may accept from one listener. Dropping it stops listening.
pub struct Listener<T: Transport> {
    end: Endpoint<T::Listener>,
    /// Since an accept found no descriptor left: until when none is tried.
    starved_until: Cell<Option<Instant>>,
}

/// The connections of a listener, one by one; made by [`Listener::incoming`].
#[derive(Debug)]
#[must_use = "a stream does nothing unless it is polled"]
pub struct Incoming<'a, T: Transport = Tcp> {
    listener: &'a Listener<T>,
    /// Its place among who waits for a connection.
    connection: WaiterKey,
    /// Its place among who waits for a descriptor.
    descriptor: WaiterKey,
    /// While it waits for a descriptor.
    pause: Option<Sleep>,
}

impl<T: Transport> Listener<T> {
    /// Takes a listener of std's into the running loop, and makes it non-blocking.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub fn from_std(listener: T::StdListener) -> io::Result<Listener<T>> {
        let end = Endpoint::from_std(listener, "from_std")?;
        Ok(Listener { end, starved_until: Cell::new(None) })
    }

    /// Takes the listener out of the loop, as it came into it: see [`Connection::into_std`].
    pub fn into_std(self) -> io::Result<T::StdListener> {
        self.end.into_std()
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
    pub async fn accept(&self) -> io::Result<(Connection<T>, T::Addr)> {
        let mut incoming = self.incoming();
        poll_fn(|cx| incoming.poll_accept(cx)).await
    }

    /// The connections, as a `Stream` that never ends; dropping it loses none. Errors are items:
    /// go on after them.
    pub fn incoming(&self) -> Incoming<'_, T> {
        let (connection, descriptor) = Default::default();
        Incoming { listener: self, connection, descriptor, pause: None }
    }

    pub(super) fn io(&self) -> &T::Listener {
        self.end.get()
    }

    /// The address listened on.
    pub fn local_addr(&self) -> io::Result<T::Addr> {
        self.io().local_addr()
    }
}

impl<T: Transport> Incoming<'_, T> {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Connection<T>, T::Addr)>> {
        ready!(self.poll_fed(cx));
        let Listener { end: Endpoint { socket, .. }, starved_until } = self.listener;
        let accepted = ready!(
            socket.poll_io(Direction::Read, cx, &mut self.connection, |io| { whole(io.accept()) })
        );
        let accepted = accepted.and_then(|(stream, peer)| {
            let socket = Socket::new(stream, socket.reactor().clone(), true)?;
            Ok((Connection::new(socket), peer))
        });
        let is_starved = |error| accept_failure(error) == AcceptFailure::Starved;
        if accepted.as_ref().is_err_and(is_starved) {
            socket.reactor().starved().clear(Direction::Read);
            starved_until.set(Some(now() + STARVED));
        }
        Poll::Ready(accepted)
    }

    /// Waits, after a starved accept, until there may be descriptors again.
    fn poll_fed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Listener { end: Endpoint { socket, .. }, starved_until } = self.listener;
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

impl<T: Transport> Drop for Incoming<'_, T> {
    fn drop(&mut self) {
        let socket = &self.listener.end.socket;
        socket.leave(Direction::Read, &mut self.connection);
        socket.reactor().starved().leave(Direction::Read, &mut self.descriptor);
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
