//! HTTP/1 and HTTP/2 by [hyper](https://docs.rs/hyper): its I/O, its executor and its timer on this
//! loop, and a server.
//!
//! | item | what it does |
//! |---|---|
//! | [`serve()`], [`serve_with`] | serve the connections of a listener over HTTP/1 and HTTP/2 |
//! | [`Server`], [`ServerOptions`], [`Protocol`] | the server: closing it, its limits |
//! | [`Io`] | a connection for hyper |
//! | [`Executor`] | spawns the futures of hyper |
//! | [`Timer`], [`Sleep`] | the timers of hyper |
//!
//! Services and their futures need not be `Send`. For a crate that requires it, as axum does of its
//! handlers, [`task::Local`](crate::task::Local) is a `Send` name of a value that stays on the
//! thread; hyper's traits of I/O pass through it.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use evloop::net::TcpListener;
//! use hyper::service::service_fn;
//! use hyper::{Request, Response};
//!
//! evloop::block_on(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let service = service_fn(async |request: Request<_>| {
//!         let hello = format!("hello {}", request.uri().path());
//!         Ok::<_, Infallible>(Response::new(hello))
//!     });
//!     let server = evloop::hyper::serve(listener, service)?;
//!
//!     let (mut reader, writer) = evloop::open_connection(server.local_addrs()[0]).await?;
//!     writer.write("GET /you HTTP/1.0\r\n\r\n");
//!     assert!(reader.read_to_end().await?.ends_with(b"hello /you"));
//!     std::io::Result::Ok(())
//! }).unwrap();
//! ```

// Layer L4.

mod connection;
mod executor;
mod futures_io;
mod io;
mod local;
mod options;
mod preface;
mod serve;
mod server;
mod timer;

pub use self::executor::Executor;
#[doc(alias = "TokioIo")]
pub use self::io::Io;
pub use self::options::{Protocol, ServerOptions};
pub use self::serve::{serve, serve_with};
pub use self::server::Server;
pub use self::timer::{Sleep, Timer};
