//! Buffered connections in the manner of asyncio's streams: a reader with a buffer, a writer that
//! never waits, and a server that calls a handler for each connection.
//!
//! | item | what it does |
//! |---|---|
//! | [`open_connection`] | connects by TCP, and returns a reader and a writer |
#![cfg_attr(unix, doc = "| [`open_unix_connection`] | the same by a Unix socket |")]
//! | [`start_server()`] | listens by TCP, and calls a handler for each connection |
#![cfg_attr(unix, doc = "| [`start_unix_server`] | the same by a Unix socket |")]
//! | [`open_connection_with`], [`start_server_with`] | the same with options |
#![cfg_attr(
    unix,
    doc = "| [`open_unix_connection_with`], [`start_unix_server_with`], [`serve_unix_listeners`] \
           | the same by Unix sockets |"
)]
#![cfg_attr(
    feature = "rustls",
    doc = "| [`open_connection_tls`], [`start_server_tls`] | the same by TLS |\n\
           | [`start_tls()`], [`start_tls_server`] | upgrade a connection to TLS |"
)]
//! | [`StreamReader`] | reads lines, exact numbers of bytes, bytes up to a separator |
//! | [`Lines`] | the lines of a reader, as a `Stream` |
//! | [`StreamWriter`] | queues bytes and sends them in the background; `drain` waits |
//! | [`Server`] | the listening sockets and the open connections of a server |
//! | [`HandlerOutput`] | the return types of a server's handler |
//! | [`StreamOptions`] | the limit of a line, how to connect, how long a closed stream lingers |
//! | [`serve_listeners`] | serves listeners that exist, for instance of systemd |
//! | [`ServerOptions`] | how a server listens and accepts, and the options of its streams |
//! | [`from_tcp`] | a reader and a writer of an existing TCP connection |
#![cfg_attr(
    unix,
    doc = "| [`from_unix`], [`from_pipe`] | the same of a Unix socket; a reader of a pipe |"
)]
//! | [`from_io`], [`from_io_with`] | the same of TLS, a duplex, any other connection |
//! | [`memory_reader()`], [`Feeder`] | a reader of bytes that a test feeds |
//! | [`FrameFormat`], [`FrameTooLong`] | `read_frame`, `write_frame`: messages with their length |
//! | [`IoStream`] | the connection of [`from_io`] |
//! | [`StreamSocket`] | the connection of a reader and a writer: `get_ref` returns it |
//! | [`AsyncReader`], [`AsyncWriter`] | adapters with the traits of futures-io |
//! | [`IncompleteRead`], [`LimitOverrun`] | the errors of reading a piece |
//!
//! The buffers belong to the reader and the writer, not to a future. So dropping a future of theirs
//! loses no byte.
//!
//! ```
//! evloop::block_on(async {
//!     let server = evloop::start_server("127.0.0.1:0", async |mut reader, writer| {
//!         let mut lines = reader.lines();
//!         while let Some(line) = lines.next().await {
//!             writer.write(&line?);
//!             writer.drain().await?;
//!         }
//!         std::io::Result::Ok(())
//!     }).await?;
//!
//!     let (mut reader, writer) = evloop::open_connection(server.local_addrs()[0]).await?;
//!     writer.write("one\ntwo\n");
//!     writer.shutdown_write();
//!     assert_eq!(reader.read_line().await?, b"one\n");
//!     assert_eq!(reader.read_to_end().await?, b"two\n");
//!     assert!(reader.at_eof());
//!     std::io::Result::Ok(())
//! }).unwrap();
//! ```
//!
//! # Callbacks: asyncio's `Protocol` and `Transport`
//!
//! A protocol is a loop over the reader that calls the methods of an object; the writer is its
//! transport. `pause_writing` and `resume_writing` are one call: [`StreamWriter::drain`].
//!
//! ```
//! use evloop::{StreamReader, StreamWriter};
//! use std::io;
//! use std::rc::Rc;
//!
//! trait Protocol {
//!     fn connection_made(&mut self, transport: Rc<StreamWriter>);
//!     fn data_received(&mut self, data: &[u8]);
//!     fn connection_lost(self, error: Option<io::Error>);
//! }
//!
//! async fn run(mut protocol: impl Protocol, mut reader: StreamReader, writer: StreamWriter) {
//!     let transport = Rc::new(writer);
//!     protocol.connection_made(transport.clone());
//!     let error = loop {
//!         match reader.read(64 * 1024).await {
//!             Ok(data) if data.is_empty() => break None,
//!             Ok(data) => protocol.data_received(&data),
//!             Err(error) => break Some(error),
//!         }
//!     };
//!     transport.close();
//!     protocol.connection_lost(error);
//! }
//!
//! #[derive(Default)]
//! struct Echo(Option<Rc<StreamWriter>>);
//!
//! impl Protocol for Echo {
//!     fn connection_made(&mut self, transport: Rc<StreamWriter>) {
//!         self.0 = Some(transport);
//!     }
//!
//!     fn data_received(&mut self, data: &[u8]) {
//!         self.0.as_ref().expect("connection_made was called").write(data);
//!     }
//!
//!     fn connection_lost(self, _error: Option<io::Error>) {}
//! }
//!
//! evloop::block_on(async {
//!     let handler = async |reader, writer| run(Echo::default(), reader, writer).await;
//!     let server = evloop::start_server("127.0.0.1:0", handler).await?;
//!     let (mut reader, writer) = evloop::open_connection(server.local_addrs()[0]).await?;
//!     writer.write("hello");
//!     assert_eq!(reader.read_exact(5).await?, b"hello");
//!     io::Result::Ok(())
//! }).unwrap();
//! ```

// L4. Invariant: the buffers belong to the reader and the writer, never to a future.

mod async_io;
#[cfg(feature = "rustls")]
mod beneath;
mod flusher;
mod frames;
mod handler;
mod io_stream;
mod lines;
mod memory_reader;
mod numbers;
mod open;
mod read_error;
mod reader;
mod separator;
mod server;
mod server_options;
mod shared_stream;
mod socket;
#[cfg(unix)]
mod socket_file;
mod start_server;
#[cfg(feature = "rustls")]
mod start_tls;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(unix)]
mod unix;
mod unsent;
mod writer;
mod written;

#[doc(alias = "compat")]
pub use self::async_io::{AsyncReader, AsyncWriter};
#[doc(alias = "LengthDelimitedCodec")]
#[doc(alias = "Framed")]
#[doc(alias = "length_delimited")]
pub use self::frames::FrameFormat;
#[doc(alias = "LengthDelimitedCodecError")]
pub use self::frames::FrameTooLong;
pub use self::handler::HandlerOutput;
pub use self::io_stream::IoStream;
pub use self::lines::Lines;
pub use self::memory_reader::{Feeder, memory_reader};
#[doc(alias = "makefile")]
pub use self::open::from_tcp;
#[doc(alias = "open_tcp_stream")]
pub use self::open::open_connection;
pub use self::open::{StreamOptions, open_connection_with};
pub use self::open::{from_io, from_io_with};
#[doc(alias = "IncompleteReadError")]
pub use self::read_error::IncompleteRead;
#[doc(alias = "LimitOverrunError")]
pub use self::read_error::LimitOverrun;
#[doc(alias = "BufReader")]
#[doc(alias = "ReadTransport")]
pub use self::reader::StreamReader;
#[doc(alias = "StreamServer")]
pub use self::server::Server;
pub use self::server_options::ServerOptions;
#[doc(alias = "Transport")]
#[doc(alias = "Protocol")]
pub use self::socket::StreamSocket;
#[doc(alias = "serve_tcp")]
#[doc(alias = "create_server")]
pub use self::start_server::start_server;
pub use self::start_server::{serve_listeners, start_server_with};
#[cfg(feature = "rustls")]
pub use self::start_tls::{start_tls, start_tls_server, start_tls_server_with, start_tls_with};
#[cfg(feature = "rustls")]
#[doc(alias = "open_ssl_over_tcp_stream")]
pub use self::tls::open_connection_tls;
#[cfg(feature = "rustls")]
#[doc(alias = "serve_ssl_over_tcp")]
pub use self::tls::start_server_tls;
#[cfg(feature = "rustls")]
pub use self::tls::{open_connection_tls_with, start_server_tls_with};
#[cfg(unix)]
#[doc(alias = "connect_read_pipe")]
pub use self::unix::from_pipe;
#[cfg(unix)]
#[doc(alias = "open_unix_socket")]
pub use self::unix::open_unix_connection;
#[cfg(unix)]
#[doc(alias = "create_unix_server")]
pub use self::unix::start_unix_server;
#[cfg(unix)]
pub use self::unix::{
    from_unix, open_unix_connection_with, serve_unix_listeners, start_unix_server_with,
};
#[doc(alias = "BufWriter")]
#[doc(alias = "WriteTransport")]
pub use self::writer::StreamWriter;
