//! Streams of Unix sockets and of pipes.

use std::future::Future;
use std::io;
use std::panic::Location;
use std::path::Path;
use std::rc::Rc;

use super::handler::HandlerOutput;
use super::open::{StreamOptions, pair};
use super::reader::StreamReader;
use super::server::Server;
use super::server_options::ServerOptions;
use super::shared_stream::SharedStream;
use super::socket::StreamSocket;
use super::socket_file::{PathLock, SocketFile, is_socket, remove_file};
use super::writer::StreamWriter;
use crate::context;
use crate::net::pipe::Receiver;
use crate::net::{UnixListener, UnixStream};

/// Connects to a Unix socket by its path, and returns the connection as a reader and a writer. On
/// Linux, `"\0name"` is the abstract name `name`.
///
/// # Errors
///
/// As [`UnixStream::connect`].
///
/// # Cancel safety
///
/// Dropping the future closes the connection.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// # let path = std::env::temp_dir().join(format!("evloop-doc-open-unix-{}", std::process::id()));
/// evloop::block_on(async {
///     let server = evloop::start_unix_server(&path, async |mut reader, writer| {
///         writer.write(&reader.read_to_end().await?);
///         std::io::Result::Ok(())
///     }).await?;
///
///     let (mut reader, writer) = evloop::open_unix_connection(&path).await?;
///     writer.write(b"hello");
///     writer.shutdown_write();
///     assert_eq!(reader.read_to_end().await?, b"hello");
///     drop(server);
///     assert!(!path.exists());
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub async fn open_unix_connection(
    path: impl AsRef<Path>,
) -> io::Result<(StreamReader, StreamWriter)> {
    open_unix_connection_with(path, &StreamOptions::default()).await
}

/// Connects as [`open_unix_connection`] does, with `options`.
///
/// # Errors
///
/// As [`UnixStream::connect`]; kind `InvalidInput` if the limit is 0.
pub async fn open_unix_connection_with(
    path: impl AsRef<Path>,
    options: &StreamOptions,
) -> io::Result<(StreamReader, StreamWriter)> {
    drop(context::expect("open_unix_connection"));
    options.check()?;
    Ok(from_unix(UnixStream::connect(path).await?, options))
}

/// Returns a reader and a writer of an existing connection of a Unix socket.
///
/// # Panics
///
/// If the limit is 0.
///
/// ```
/// use evloop::net::UnixStream;
/// use evloop::streams::{self, StreamOptions};
///
/// evloop::block_on(async {
///     let (one, other) = UnixStream::pair()?;
///     let (_reader, writer) = streams::from_unix(one, &StreamOptions::default());
///     let (mut reader, _writer) = streams::from_unix(other, &StreamOptions::default());
///     writer.write(b"hello\n");
///     assert_eq!(reader.read_line().await?, b"hello\n");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn from_unix(stream: UnixStream, options: &StreamOptions) -> (StreamReader, StreamWriter) {
    options.expect_valid();
    pair(StreamSocket::Unix(stream), options)
}

/// Returns a reader of a pipe, such as the standard output of a child process.
///
/// # Panics
///
/// If the limit is 0.
///
/// ```
/// # #[cfg(feature = "process")] {
/// use evloop::process::{Command, Stdio};
/// use evloop::streams::{self, StreamOptions};
///
/// evloop::block_on(async {
///     let mut child = Command::shell("echo one; echo two").stdout(Stdio::piped()).spawn()?;
///     let stdout = child.stdout.take().expect("stdout is piped");
///     let mut reader = streams::from_pipe(stdout, &StreamOptions::default());
///     assert_eq!(reader.read_line().await?, b"one\n");
///     assert_eq!(reader.read_line().await?, b"two\n");
///     assert!(child.wait().await?.success());
///     std::io::Result::Ok(())
/// }).unwrap();
/// # }
/// ```
#[track_caller]
pub fn from_pipe(pipe: Receiver, options: &StreamOptions) -> StreamReader {
    options.expect_valid();
    let shared = SharedStream::new(StreamSocket::Pipe(pipe), options.linger);
    StreamReader::new(Rc::new(shared), options.limit)
}

/// Listens on a Unix socket, and calls `handler` with a reader and a writer for each connection,
/// as [`start_server`](super::start_server()) does. On Linux, `"\0name"` is the abstract name
/// `name`.
///
/// Closing the server removes the socket's file, unless another file has replaced it. If the path
/// is the file of a socket on which no server listens any more, the new socket replaces it. While
/// the server starts or closes, a lock file exists beside the socket: `<path>.evloop-lock`.
///
/// # Errors
///
/// Kind `AddrInUse` if a server listens or is starting there, or if the path is a file that is no
/// socket; others as [`UnixListener::bind`].
///
/// # Cancel safety
///
/// Dropping the future closes the socket that it has opened.
///
/// # Panics
///
/// Outside of a running loop.
#[track_caller]
pub fn start_unix_server<F, T>(
    path: impl AsRef<Path>,
    handler: F,
) -> impl Future<Output = io::Result<Server>>
where
    F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
    T: HandlerOutput + 'static,
{
    start(path, ServerOptions::default(), handler, Location::caller())
}

/// Starts a server as [`start_unix_server`] does, with `options`.
///
/// # Errors
///
/// As [`start_unix_server`]; kind `InvalidInput` if a limit is 0.
///
/// # Panics
///
/// Outside of a running loop.
#[track_caller]
pub fn start_unix_server_with<F, T>(
    path: impl AsRef<Path>,
    options: &ServerOptions,
    handler: F,
) -> impl Future<Output = io::Result<Server>>
where
    F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
    T: HandlerOutput + 'static,
{
    start(path, options.clone(), handler, Location::caller())
}

/// Serves Unix listeners that exist, as [`serve_listeners`](super::serve_listeners) does.
///
/// # Errors
///
/// Kind `InvalidInput` if a limit is 0.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// use evloop::net::UnixListener;
/// use evloop::streams::{ServerOptions, open_unix_connection, serve_unix_listeners};
///
/// # let path = std::env::temp_dir().join(format!("evloop-doc-serve-unix-{}", std::process::id()));
/// evloop::block_on(async {
///     let listener = UnixListener::bind(&path)?;
///     let handler = async |_reader, writer: evloop::StreamWriter| writer.write("hello\n");
///     let server = serve_unix_listeners([listener], &ServerOptions::default(), handler)?;
///     let (mut reader, _writer) = open_unix_connection(&path).await?;
///     assert_eq!(reader.read_line().await?, b"hello\n");
///     drop(server);
///     // The server has not made the file, so it does not remove it either.
///     std::fs::remove_file(&path)
/// }).unwrap();
/// ```
#[track_caller]
pub fn serve_unix_listeners<F, T>(
    listeners: impl IntoIterator<Item = UnixListener>,
    options: &ServerOptions,
    handler: F,
) -> io::Result<Server>
where
    F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
    T: HandlerOutput + 'static,
{
    context::expect("serve_unix_listeners");
    options.check()?;
    let (listeners, options) = (listeners.into_iter().collect(), options.clone());
    Ok(Server::start(listeners, Vec::new(), options, handler, Location::caller()))
}

async fn start<F, T>(
    path: impl AsRef<Path>,
    options: ServerOptions,
    handler: F,
    started_at: &'static Location<'static>,
) -> io::Result<Server>
where
    F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
    T: HandlerOutput + 'static,
{
    drop(context::expect("start_unix_server"));
    options.check()?;
    let path = path.as_ref();
    let lock = PathLock::take(path)?;
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path) => {
            remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    };
    let file = listener.as_ref().ok().and_then(|_| SocketFile::at(path));
    drop(lock);
    let server = Server::start(vec![listener?], Vec::new(), options, handler, started_at);
    Ok(match file {
        Some(file) => server.with_file(file),
        None => server,
    })
}

/// Returns whether `path` is a socket on which no server listens any more.
fn is_stale(path: &Path) -> bool {
    is_socket(path) && UnixStream::is_refused_at(path)
}
