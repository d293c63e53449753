//! Serving one connection. Layer L4.
//!
//! Invariant: a connection that is closing completes the requests that have begun, and no others.

use std::cell::Cell;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Poll, Waker};

use ::hyper::body::{Body, Incoming};
use ::hyper::service::Service;
use ::hyper::{Request, Response};
use futures_io::{AsyncRead, AsyncWrite};

use super::io::Io;
use super::options::{Protocol, ServerOptions};
use super::preface::poll_protocol;
use crate::task::Local;
use crate::time::timeout;
use crate::wait::wake;

/// Any error, as hyper takes it of services and bodies.
pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// What a server can do to a connection while that is served.
#[derive(Default)]
pub(super) struct Control {
    is_closing: Cell<bool>,
    /// The connection's task, which has one waker as long as it lives: stored once, not at every
    /// poll.
    task: Cell<Option<Waker>>,
}

impl Control {
    /// Makes the connection end after the requests that have begun.
    pub(super) fn close(&self) {
        self.is_closing.set(true);
        wake(self.task.take());
    }

    /// Stores the running task, which is woken when the connection must end.
    async fn store_task(&self) {
        poll_fn(|cx| {
            self.task.set(Some(cx.waker().clone()));
            Poll::Ready(())
        })
        .await;
    }
}

/// Serves a connection until it ends.
///
/// # Errors
///
/// Only errors of the service and its bodies: those of the client are its own affair.
pub(super) async fn serve_connection<T, S, B>(
    mut io: Io<T>,
    service: S,
    options: &ServerOptions,
    control: &Control,
) -> Result<(), ::hyper::Error>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Future: 'static,
    S::Error: Into<BoxError>,
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    control.store_task().await;
    let protocol = match options.protocol {
        Protocol::Any => find_protocol(&mut io, options, control).await,
        protocol => Some(protocol),
    };
    let result = match protocol {
        None => Ok(()),
        Some(Protocol::Http2) => {
            let connection = options.http2.serve_connection(io, service);
            drive(pin!(connection), control, |connection| connection.graceful_shutdown()).await
        }
        Some(_) if !options.upgrades => {
            let connection = options.http1.serve_connection(io, service);
            drive(pin!(connection), control, |connection| connection.graceful_shutdown()).await
        }
        Some(_) => {
            // An upgrade requires that the connection is `Send`.
            let connection = options.http1.serve_connection(Local::new(io), service);
            let connection = pin!(connection.with_upgrades());
            drive(connection, control, |connection| connection.graceful_shutdown()).await
        }
    };
    result.or_else(|error| if error.is_user() { Err(error) } else { Ok(()) })
}

/// Returns the protocol of the client; `None` if the connection is to end before it is known.
async fn find_protocol<T: AsyncRead + Unpin>(
    io: &mut Io<T>,
    options: &ServerOptions,
    control: &Control,
) -> Option<Protocol> {
    // First what has arrived: a request that is in the socket's buffer has begun.
    let found = poll_fn(|cx| match poll_protocol(io, cx) {
        Poll::Pending if control.is_closing.get() => {
            Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
        }
        polled => polled,
    });
    match options.header_timeout {
        Some(limit) => timeout(limit, found).await.ok()?.ok(),
        None => found.await.ok(),
    }
}

/// Polls a connection to its end, and begins its end when the server closes.
fn drive<C: Future>(
    mut connection: Pin<&mut C>,
    control: &Control,
    shut_down: impl Fn(Pin<&mut C>),
) -> impl Future<Output = C::Output> {
    let mut is_closing = false;
    // Not in an `async fn`, which would be one more state machine at each poll.
    poll_fn(move |cx| {
        // First what has arrived, as above.
        let polled = connection.as_mut().poll(cx);
        if polled.is_ready() || is_closing || !control.is_closing.get() {
            return polled;
        }
        is_closing = true;
        shut_down(connection.as_mut());
        connection.as_mut().poll(cx)
    })
}
