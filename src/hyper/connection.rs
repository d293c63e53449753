//! Serving one connection. Layer L4.
//!
//! Invariant: a connection that is closing completes the requests that have begun, and no others.

use std::cell::Cell;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Poll, Waker};
use std::time::Duration;

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

/// Why a connection ends before its first request.
pub(super) enum Unprepared {
    TooLate(Duration),
    Closing,
}

impl Control {
    /// Makes the connection end after the requests that have begun.
    pub(super) fn close(&self) {
        self.is_closing.set(true);
        wake(self.task.take());
    }

    /// Stores the running task, which is woken when the connection must end.
    pub(super) async fn store_task(&self) {
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
/// Errors of the service and its bodies. Errors of the client only end the connection.
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
    let protocol = match options.protocol {
        Protocol::Http1 => Some(Protocol::Http1),
        Protocol::Any => find_protocol(&mut io, options, control).await,
        // hyper would wait for the preface without a limit, also after the close.
        Protocol::Http2 => find_protocol(&mut io, options, control).await.map(|_| Protocol::Http2),
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

/// Awaits a step before the first request of a connection, for at most `limit`.
///
/// # Errors
///
/// If the limit has passed, or the server closes the connection first.
pub(super) async fn prepare<F: Future>(
    mut step: Pin<&mut F>,
    limit: Option<Duration>,
    control: &Control,
) -> Result<F::Output, Unprepared> {
    // First what has arrived: a request that is in the socket's buffer has begun.
    let step = poll_fn(|cx| match step.as_mut().poll(cx) {
        Poll::Pending if control.is_closing.get() => Poll::Ready(Err(Unprepared::Closing)),
        polled => polled.map(Ok),
    });
    match limit {
        Some(limit) => timeout(limit, step).await.unwrap_or(Err(Unprepared::TooLate(limit))),
        None => step.await,
    }
}

/// Returns the protocol of the client; `None` if the connection is to end before it is known.
async fn find_protocol<T: AsyncRead + Unpin>(
    io: &mut Io<T>,
    options: &ServerOptions,
    control: &Control,
) -> Option<Protocol> {
    let found = pin!(poll_fn(|cx| poll_protocol(io, cx)));
    prepare(found, options.header_timeout, control).await.ok()?.ok()
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
