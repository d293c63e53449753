//! L4: any descriptor, the program's own three; copying, and a connection in memory, on the traits
//! of futures-io.
//!
//! # What dropping a future means
//!
//! A future of evloop may be dropped at any await: a limit is over, a `select!` chose another
//! branch. What has become of the bytes by then depends on what was asked for. Where a byte is on
//! its way, this says where it is.
//!
//! | operation | dropped before it completes |
//! |---|---|
//! | `accept`, `incoming` | no connection is lost |
//! | `connect`, [`open_connection`], [`start_server`] | what was opened is closed |
//! | `read`, `read_vectored`, `peek`, `recv…` | nothing was read |
//! | `write`, `write_vectored`, `send…` | nothing was written |
//! | `readable`, `writable` | nothing has changed |
//! | `write_all_buf(&mut buf)` | `buf` is what is left to write |
//! | `read_exact` of a socket | **not cancel safe**: part of `buf` is filled, none knows which |
//! | `write_all` of a socket | **not cancel safe**: part of `buf` is written, none knows which |
//! | all of [`StreamReader`] and its `Lines` | nothing is lost: what came stays in the reader |
//! | [`StreamWriter`]: `drain`, `wait_closed` | nothing is lost: what was written is sent anyway |
//! | [`Server`]: `serve_forever` | the server is closed, as asyncio does |
//! | [`Server`]: `wait_closed` | nothing has changed |
//! | [`copy()`] | **not cancel safe**: up to 64 KiB that were read and not written are lost |
//! | [`copy_buf`] | nothing is lost: what was not written stays in the reader; the count is lost |
//! | [`copy_bidirectional()`] | **not cancel safe**: as `copy`, in each direction |
//! | [`Stdin`]: all | nothing is lost: what came is there for the next read |
//! | [`Output`]: `write` | nothing was written |
//! | [`Output`]: `write_all` | **not cancel safe**: as that of a socket |
//! | `AsyncFd`: all | what it does has been done, and its result is given, or it has not |
//! | [`DuplexStream`], by the traits | nothing was read or written |
//!
//! The siblings of those that are not cancel safe: for `read_exact` a [`StreamReader`], for
//! `write_all` `write_all_buf` or a [`StreamWriter`], for `copy` [`copy_buf`]. And any future can
//! be kept instead: `select!` over `&mut future` drops nothing.
//!
//! # The number of an error
//!
//! An `io::Error` holds the system's number or a text, never both. Where evloop adds a sentence
//! (which address, which program), the error has the same kind, `raw_os_error` returns `None`, and
//! [`source`](std::error::Error::source) is the system's error with its number:
//!
//! ```
//! use std::error::Error;
//! use std::io;
//!
//! evloop::block_on(async {
//!     let taken = evloop::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
//!     let _listener = evloop::net::TcpListener::bind(taken).await?;
//!     let error = evloop::net::TcpListener::bind(taken).await.unwrap_err();
//!     assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
//!     let system = error.source().and_then(|error| error.downcast_ref::<io::Error>());
//!     assert!(system.is_some_and(|error| error.raw_os_error().is_some()));
//!     io::Result::Ok(())
//! }).unwrap();
//! ```
//!
//! [`open_connection`]: crate::streams::open_connection
//! [`start_server`]: crate::streams::start_server
//! [`Server`]: crate::streams::Server
//! [`StreamReader`]: crate::streams::StreamReader
//! [`StreamWriter`]: crate::streams::StreamWriter

#[cfg(unix)]
mod async_fd;
mod copy;
mod copy_bidirectional;
mod duplex;
mod interest;
#[cfg_attr(windows, path = "io/standard_windows.rs")]
mod standard;
mod stdin;
mod stdout;
mod transfer;
#[cfg(unix)]
mod watched;

#[cfg(unix)]
pub use self::async_fd::AsyncFd;
pub use self::copy::{copy, copy_buf};
pub use self::copy_bidirectional::copy_bidirectional;
pub use self::duplex::{DuplexStream, duplex};
pub use self::interest::Interest;
pub use self::stdin::{Stdin, stdin};
pub use self::stdout::{Output, stderr, stdout};
#[cfg(unix)]
pub(crate) use self::watched::state;
