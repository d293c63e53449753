//! Waiting for any descriptor, standard input and output, copying, and a connection in memory, with
//! the traits of futures-io.
//!
//! | item | what it does |
//! |---|---|
#![cfg_attr(unix, doc = "| [`AsyncFd`] | waits for any descriptor |")]
#![cfg_attr(
    unix,
    doc = "| [`add_reader`], [`add_writer`] | callbacks while a descriptor is ready |"
)]
#![cfg_attr(unix, doc = "| [`FdCallback`] | such a callback; dropping it removes the callback |")]
//! | [`Interest`] | the states of a descriptor: readable, writable, error |
//! | [`copy()`], [`copy_buf`] | copy from a reader to a writer until the reader ends |
//! | [`copy_bidirectional()`] | copies between two connections in both directions |
//! | [`copy_bidirectional_with_sizes`] | the same with smaller buffers |
//! | [`chunks()`], [`Chunks`] | the bytes of a reader as a `Stream` |
//! | [`join()`], [`Join`] | one connection of a reader and a writer |
//! | [`sync_bridge()`], [`SyncIoBridge`] | `Read` and `Write` of std, on another thread |
//! | [`simplex()`], [`SimplexReader`], [`SimplexWriter`] | a pipe in memory |
//! | [`duplex()`], [`DuplexStream`] | a connection in memory, for instance for tests |
//! | [`stdin()`], [`Stdin`] | the standard input of the program |
//! | [`stdout()`], [`stderr`], [`Output`] | the standard output and error of the program |
//! | [`raw_os_error`] | the system's number of an error, also of one with a message |
//!
//! ```
//! use evloop::io::{copy, duplex};
//! use futures::AsyncReadExt;
//!
//! evloop::block_on(async {
//!     let (mut one, mut other) = duplex(64);
//!     assert_eq!(copy(&b"hello"[..], &mut one).await?, 5);
//!     drop(one);
//!     let mut text = String::new();
//!     other.read_to_string(&mut text).await?;
//!     evloop::io::stdout().write_all(text.as_bytes()).await
//! }).unwrap();
//! ```
//!
//! # Cancel safety of all operations
//!
//! A future of evloop may be dropped at any await: a timeout has passed, or a `select!` took
//! another branch. This table lists the effect of each operation whose future is dropped before it
//! completes.
//!
//! | operation | dropped before it completes |
//! |---|---|
//! | `accept`, `incoming` | no connection is lost |
//! | `connect`, [`open_connection`], [`start_server`] | the sockets that it opened are closed |
//! | `read`, `read_vectored`, `peek`, `recv…` | nothing was read |
//! | `write`, `write_vectored`, `send…` | nothing was written |
//! | `readable`, `writable`, `ready` | nothing has changed |
//! | `write_all_buf(&mut buf)` | `buf` holds the bytes that are not written |
//! | `read_exact` of a socket | **not cancel safe**: an unknown part of `buf` is filled |
//! | `write_all` of a socket | **not cancel safe**: an unknown part of `buf` is written |
//! | all of [`StreamReader`] and its `Lines` | nothing is lost: the bytes stay in the reader |
//! | [`StreamWriter`]: `drain`, `wait_closed` | nothing is lost: the written bytes are still sent |
//! | [`Server`]: `serve_forever` | the server is closed, as in asyncio |
//! | [`Server`]: `wait_closed` | nothing has changed |
//! | [`copy()`] | **not cancel safe**: up to 64 KiB that were read and not written are lost |
//! | [`copy_buf`] | no byte is lost: unwritten bytes stay in the reader; the count is lost |
//! | [`copy_bidirectional()`] | **not cancel safe**: as `copy`, in each direction |
//! | [`Stdin`]: all | nothing is lost: the next read returns the bytes |
//! | [`Output`]: `write` | nothing was written |
//! | [`Output`]: `write_all` | **not cancel safe**: as that of a socket |
//! | `AsyncFd`: all; `async_io` | the operation has not run, or has found nothing |
//! | [`DuplexStream`], [`SimplexReader`], [`SimplexWriter`] | nothing was read or written |
//! | [`Chunks`]: `next` | nothing is lost |
//!
//! The cancel-safe counterparts are: for `read_exact` a [`StreamReader`], for `write_all`
//! `write_all_buf` or a [`StreamWriter`], for `copy` [`copy_buf`]. Or keep the future: `select!`
//! over `&mut future` drops nothing.
//!
//! # Error numbers
//!
//! An `io::Error` holds an error number of the system or a text, never both. Where evloop adds a
//! sentence (which address, which program), the error has the same kind, `raw_os_error` returns
//! `None`, and [`source`](std::error::Error::source) returns the system's error with its number.
//! [`raw_os_error`] returns the number in both cases.
//!
//! [`open_connection`]: crate::streams::open_connection
//! [`start_server`]: crate::streams::start_server
//! [`Server`]: crate::streams::Server
//! [`StreamReader`]: crate::streams::StreamReader
//! [`StreamWriter`]: crate::streams::StreamWriter

// L4.

#[cfg(unix)]
mod async_fd;
#[cfg(unix)]
mod async_fd_io;
mod buffer;
#[cfg(unix)]
mod callbacks;
mod chunks;
mod copy;
mod copy_bidirectional;
mod duplex;
mod find_byte;
mod interest;
mod join;
#[cfg(feature = "tokio-io")]
mod join_tokio;
mod simplex;
#[cfg_attr(windows, path = "io/standard_windows.rs")]
mod standard;
mod stdin;
mod stdout;
mod sync_bridge;
mod transfer;
#[cfg(unix)]
mod watched;

#[cfg(unix)]
#[doc(alias = "wait_read")]
#[doc(alias = "wait_write")]
#[doc(alias = "wait_readable")]
#[doc(alias = "wait_writable")]
#[doc(alias = "Async")]
#[doc(alias = "wait_readwrite")]
pub use self::async_fd::AsyncFd;
pub(crate) use self::buffer::Buffer;
#[cfg(unix)]
#[doc(alias = "remove_reader")]
#[doc(alias = "remove_writer")]
pub use self::callbacks::FdCallback;
#[cfg(unix)]
pub use self::callbacks::{add_reader, add_writer};
#[doc(alias = "ReaderStream")]
pub use self::chunks::Chunks;
pub use self::chunks::chunks;
#[doc(alias = "copyfileobj")]
pub use self::copy::copy;
pub use self::copy::copy_buf;
#[doc(alias = "proxy")]
pub use self::copy_bidirectional::copy_bidirectional;
pub use self::copy_bidirectional::copy_bidirectional_with_sizes;
pub use self::duplex::DuplexStream;
#[doc(alias = "memory_stream_pair")]
pub use self::duplex::duplex;
pub(crate) use self::find_byte::find_byte;
pub use self::interest::Interest;
#[doc(alias = "StapledStream")]
pub use self::join::Join;
#[doc(alias = "staple")]
pub use self::join::join;
#[doc(alias = "memory_stream_one_way_pair")]
pub use self::simplex::simplex;
#[doc(alias = "SimplexStream")]
pub use self::simplex::{SimplexReader, SimplexWriter};
pub use self::stdin::Stdin;
#[doc(alias = "connect_read_pipe")]
pub use self::stdin::stdin;
#[doc(alias = "Stdout")]
#[doc(alias = "Stderr")]
pub use self::stdout::Output;
#[doc(alias = "connect_write_pipe")]
pub use self::stdout::{stderr, stdout};
pub use self::sync_bridge::SyncIoBridge;
#[doc(alias = "SyncIoBridge")]
pub use self::sync_bridge::sync_bridge;
#[cfg(unix)]
pub(crate) use self::watched::state;
#[doc(alias = "errno")]
pub use crate::io_error::raw_os_error;
