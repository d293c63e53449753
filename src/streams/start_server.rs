//! Starts servers, on addresses and on listeners that exist.

use std::future::Future;
use std::io;
use std::panic::Location;

use super::handler::HandlerOutput;
use super::reader::StreamReader;
use super::server::Server;
use super::server_options::ServerOptions;
use super::writer::StreamWriter;
use crate::context;
use crate::net::{TcpListener, ToAddrs, lookup_host};

/// Listens on all addresses of `addr`, and calls `handler` with a reader and a writer for each
/// connection. The future that `handler` returns runs in a task of its own.
///
/// The connection [closes](StreamWriter::close) when the writer is dropped: at the latest when the
/// handler has returned or panicked. A handler returns `()` or a `Result`. Its error, its panic,
/// and the errors of accepting are reported to the loop's error handler, as in asyncio; see
/// [`Builder::on_task_error`](crate::runtime::Builder::on_task_error). The server continues, unless
/// a listener has failed permanently; see [`serve_forever`](Server::serve_forever).
///
/// With port 0 each address gets a port of its own; see [`local_addrs`](Server::local_addrs). If
/// there are several addresses, a socket of an IPv6 address accepts no IPv4 connections.
///
/// # Errors
///
/// As [`TcpListener::bind`], if one of the addresses cannot be listened on.
///
/// # Cancel safety
///
/// Dropping the future closes the sockets that it has opened.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// evloop::block_on(async {
///     let server = evloop::start_server("127.0.0.1:0", async move |mut reader, writer| {
///         while let line @ [_, ..] = &*reader.read_line().await? {
///             writer.write(line.to_ascii_uppercase());
///             writer.drain().await?;
///         }
///         std::io::Result::Ok(())
///     }).await?;
///
///     let (mut reader, writer) = evloop::open_connection(server.local_addrs()[0]).await?;
///     writer.write("hello\n");
///     assert_eq!(reader.read_line().await?, b"HELLO\n");
///     drop((reader, writer));
///     server.close();
///     server.wait_closed().await;
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
///
/// A closure that uses `?` ends with `std::io::Result::Ok(())`, which names its error type. With a
/// bare `Ok(())` the compiler reports E0282, "type annotations needed". An `async fn` that returns
/// `std::io::Result<()>` works too: `start_server(addr, serve)`.
#[track_caller]
pub fn start_server<F, T>(
    addr: impl ToAddrs,
    handler: F,
) -> impl Future<Output = io::Result<Server>>
where
    F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
    T: HandlerOutput + 'static,
{
    start(addr, ServerOptions::default(), handler, Location::caller())
}

/// Starts a server as [`start_server`] does, with `options`.
///
/// # Errors
///
/// As [`start_server`]; kind `InvalidInput` if a limit is 0.
///
/// # Panics
///
/// Outside of a running loop.
#[track_caller]
pub fn start_server_with<F, T>(
    addr: impl ToAddrs,
    options: &ServerOptions,
    handler: F,
) -> impl Future<Output = io::Result<Server>>
where
    F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
    T: HandlerOutput + 'static,
{
    start(addr, options.clone(), handler, Location::caller())
}

pub(super) async fn start<F, T>(
    addr: impl ToAddrs,
    options: ServerOptions,
    handler: F,
    started_at: &'static Location<'static>,
) -> io::Result<Server>
where
    F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
    T: HandlerOutput + 'static,
{
    drop(context::expect("start_server"));
    options.check()?;
    let addrs: Vec<_> = lookup_host(addr).await?.collect();
    let mut listen = options.listen.clone();
    if addrs.len() > 1 {
        listen.only_v6 = listen.only_v6.or(Some(true));
    }
    let mut listeners = Vec::with_capacity(addrs.len());
    for addr in addrs {
        listeners.push(TcpListener::bind_with(addr, &listen).await?);
    }
    serve(listeners, options, handler, started_at)
}

/// Serves listeners that exist, as [`start_server`] does: those that another part of the program,
/// or a service manager such as systemd, has opened. This is trio's `serve_listeners`.
///
/// # Errors
///
/// Kind `InvalidInput` if a limit is 0; the system's error if a listener has no address.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// use evloop::net::TcpListener;
/// use evloop::streams::{ServerOptions, open_connection, serve_listeners};
///
/// // With systemd: `TcpListener::from(OwnedFd)` of the descriptor 3.
/// let std_listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
/// evloop::block_on(async {
///     let listener = TcpListener::from_std(std_listener)?;
///     let handler = async |_reader, writer: evloop::StreamWriter| writer.write("hello\n");
///     let server = serve_listeners([listener], &ServerOptions::default(), handler)?;
///     let (mut reader, _writer) = open_connection(server.local_addrs()[0]).await?;
///     assert_eq!(reader.read_line().await?, b"hello\n");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn serve_listeners<F, T>(
    listeners: impl IntoIterator<Item = TcpListener>,
    options: &ServerOptions,
    handler: F,
) -> io::Result<Server>
where
    F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
    T: HandlerOutput + 'static,
{
    context::expect("serve_listeners");
    options.check()?;
    serve(listeners.into_iter().collect(), options.clone(), handler, Location::caller())
}

fn serve<F, T>(
    listeners: Vec<TcpListener>,
    options: ServerOptions,
    handler: F,
    started_at: &'static Location<'static>,
) -> io::Result<Server>
where
    F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
    T: HandlerOutput + 'static,
{
    let addrs = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
    Ok(Server::start(listeners, addrs, options, handler, started_at))
}
