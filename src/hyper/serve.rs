//! Starts HTTP servers. Layer L4.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;

use ::hyper::body::{Body, Incoming};
use ::hyper::service::Service;
use ::hyper::{Request, Response};
use futures_io::{AsyncRead, AsyncWrite};

use super::connection::{BoxError, Control, Unprepared, prepare, serve_connection};
use super::io::Io;
use super::options::ServerOptions;
use super::server::Server;
use crate::context;
use crate::net::{
    Acceptor, Connection, Connections, Listener, Transport, report_connection_error,
    spawn_server_task,
};

/// Serves the connections of a listener over HTTP/1 and HTTP/2, each in a task of its own.
/// TCP_NODELAY is on.
///
/// The service and its futures need not be `Send`. A `tower` service, such as axum's router, is
/// wrapped by hyper-util's `TowerToHyperService`. See [`ServerOptions::upgrades`] for WebSocket.
///
/// Errors and panics of the service, errors of its bodies and errors of accepting are reported to
/// the loop's error handler; see
/// [`Builder::on_task_error`](crate::runtime::Builder::on_task_error). An error of the service
/// closes the connection without a response. Errors of clients are not reported.
///
/// In a [simulated world](crate::guide::testing) hyper adds no `Date` to the responses: it would be
/// the real one.
///
/// # Errors
///
/// The system's error if the listener has no address.
///
/// # Panics
///
/// Outside of a running loop.
///
/// See the [module](super) for an example.
#[track_caller]
pub fn serve<K, S, B>(listener: Listener<K>, service: S) -> io::Result<Server>
where
    K: Transport,
    S: Service<Request<Incoming>, Response = Response<B>> + 'static,
    S::Future: 'static,
    S::Error: Into<BoxError>,
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    let service = Rc::new(service);
    let begin =
        async move |connection, _peer| io::Result::Ok((Io::new(connection), service.clone()));
    serve_with(listener, &ServerOptions::default(), begin)
}

/// Serves the connections of a listener as [`serve`] does, with `options`. `begin` is called in the
/// task of each connection, with the connection and the address of the peer. It returns the I/O and
/// the service of this connection: here a TLS handshake is made. Its error is reported to the
/// loop's error handler, and ends the connection. So does a time longer than
/// [`ServerOptions::handshake_timeout`].
///
/// # Errors
///
/// As [`serve`]; kind `InvalidInput` if a limit is 0.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// use std::convert::Infallible;
///
/// use evloop::hyper::{Io, ServerOptions, serve_with};
/// use evloop::net::TcpListener;
/// use hyper::service::service_fn;
/// use hyper::{Request, Response};
///
/// evloop::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let server = serve_with(listener, &ServerOptions::default(), async |stream, peer| {
///         let service = service_fn(move |_: Request<_>| async move {
///             Ok::<_, Infallible>(Response::new(format!("hello {peer}")))
///         });
///         // With TLS: `Io::new(acceptor.accept(stream).await?)`.
///         std::io::Result::Ok((Io::new(stream), service))
///     })?;
///
///     let (mut reader, writer) = evloop::open_connection(server.local_addrs()[0]).await?;
///     let own = writer.local_addr()?;
///     writer.write("GET / HTTP/1.0\r\n\r\n");
///     assert!(reader.read_to_end().await?.ends_with(format!("hello {own}").as_bytes()));
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn serve_with<K, T, S, B, E>(
    listener: Listener<K>,
    options: &ServerOptions,
    begin: impl AsyncFn(Connection<K>, K::Addr) -> Result<(Io<T>, S), E> + 'static,
) -> io::Result<Server>
where
    K: Transport,
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + 'static,
    S::Future: 'static,
    S::Error: Into<BoxError>,
    B: Body + 'static,
    B::Error: Into<BoxError>,
    E: Display + 'static,
{
    context::expect("hyper::serve");
    let started_at = Location::caller();
    let options = Rc::new(options.complete()?);
    let addrs = K::ip_addr(&listener.local_addr()?).into_iter().collect();
    let connections = Connections::new(options.connection_limit, options.start_serving);
    let (begin, open) = (Rc::new(begin), connections.clone());
    let serve = move |connection: Connection<K>, peer| {
        connection.send_at_once();
        let (begin, options) = (begin.clone(), options.clone());
        let control = Rc::new(Control::default());
        let entry = open.add(Rc::downgrade(&control));
        open.start_handler(|running| {
            let task = async move {
                let _open = (running, entry);
                control.store_task().await;
                let addr = K::ip_addr(&peer);
                let limit = options.handshake_timeout;
                let begun = prepare(pin!(begin(connection, peer)), limit, &control).await;
                let error = match begun {
                    Ok(Ok((io, service))) => {
                        let served = serve_connection(io, service, &options, &control).await;
                        served.err().map(describe)
                    }
                    Ok(Err(error)) => Some(error.to_string()),
                    Err(Unprepared::TooLate(limit)) => Some(format!(
                        "the function passed to serve_with, which makes the handshake, took \
                         longer than ServerOptions::handshake_timeout, {limit:?}"
                    )),
                    Err(Unprepared::Closing) => None,
                };
                error.into_iter().for_each(|error| report_connection_error(addr, error));
            };
            spawn_server_task(task, started_at)
        });
    };
    let acceptor = Acceptor::new(listener, &connections, started_at, serve);
    connections.set_acceptors(vec![acceptor.start()]);
    Ok(Server::new(addrs, connections))
}

/// Returns the message of an error of hyper, with that of the service or body that caused it.
fn describe(error: ::hyper::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
