//! L4: asyncio's streams: a reader that keeps what came, a writer that never waits.
//!
//! Invariant: the buffers belong to the reader and the writer, never to a future, so that dropping
//! any future of theirs loses nothing.

mod acceptor;
mod async_io;
mod buffer;
mod connections;
mod flusher;
mod lines;
mod open;
mod read_error;
mod reader;
mod separator;
mod server;
mod shared_stream;
mod socket;
#[cfg(unix)]
mod socket_file;
#[cfg(unix)]
mod unix;
mod unsent;
mod writer;

pub use self::acceptor::HandlerOutput;
pub use self::async_io::{AsyncReader, AsyncWriter};
pub use self::lines::Lines;
pub use self::open::{StreamOptions, from_tcp, open_connection, open_connection_with};
pub use self::read_error::{IncompleteRead, LimitOverrun};
pub use self::reader::StreamReader;
pub use self::server::{Server, ServerOptions, start_server, start_server_with};
pub use self::socket::StreamSocket;
#[cfg(unix)]
pub use self::unix::{
    from_pipe, from_unix, open_unix_connection, open_unix_connection_with, start_unix_server,
    start_unix_server_with,
};
pub use self::writer::StreamWriter;
