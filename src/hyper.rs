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
//! Services and their futures need not be `Send`. For a crate that requires it,
//! [`task::Local`](crate::task::Local) is a `Send` name of a value that stays on the thread.
//! hyper's traits of I/O pass through it.
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
//!
//! # axum
//!
//! axum's features `tokio` and `http1`, two of the default ones, are for `axum::serve` and not
//! needed here. hyper-util's `TowerToHyperService` (feature `service`) makes a service of a
//! `Router`; without it the compiler reports that `Router` does not implement
//! `hyper::service::Service`.
//!
//! axum requires `Send` of the state, of the handlers and of their futures:
//!
//! - The state is an `Arc<Local<T>>`. [`Local::with`](crate::task::Local::with) gives a handler
//!   `&mut T`, so `T` needs neither a `Cell` nor a lock. Tasks share it by the same `Arc`.
//! - A handler that awaits timers, sockets or tasks of this crate is passed as a closure with
//!   [`Local::pin`](crate::task::Local::pin). Else the compiler reports that the handler does not
//!   implement `Handler`; `#[axum::debug_handler]` names the await. Handlers that are `Send` are
//!   passed as they are; the futures of the functions of [`fs`](crate::fs)
//!   are.
//! - `TimeoutLayer` of tower-http panics: it sleeps by tokio. A middleware takes its place.
//! - `ConnectInfo` is for `axum::serve`, too. With [`serve_with`], a service of each connection
//!   inserts the address of the peer into the request, and the extractor `Extension` returns it.
//!
//! ```ignore
//! type Shared = Arc<Local<App>>;
//!
//! async fn count(State(app): State<Shared>) -> String {
//!     app.with(|app| {
//!         app.count += 1;
//!         app.count.to_string()
//!     })
//! }
//!
//! async fn slow(Path(ms): Path<u64>) -> &'static str {
//!     evloop::time::sleep(Duration::from_millis(ms)).await;
//!     "slept\n"
//! }
//!
//! async fn limit_time(request: Request, next: Next) -> Response {
//!     match evloop::time::timeout(Duration::from_secs(5), next.run(request)).await {
//!         Ok(response) => response,
//!         Err(_) => StatusCode::GATEWAY_TIMEOUT.into_response(),
//!     }
//! }
//!
//! let router = Router::new()
//!     .route("/count", get(count))
//!     .route("/slow/{ms}", get(|ms| Local::pin(slow(ms))))
//!     .with_state(Arc::new(Local::new(App::default())))
//!     .layer(from_fn(|request, next| Local::pin(limit_time(request, next))));
//! let server = evloop::hyper::serve(listener, TowerToHyperService::new(router))?;
//! evloop::signal::ctrl_c().await?;
//! server.stop(Duration::from_secs(10)).await;
//! ```
//!
//! The address of the peer:
//!
//! ```ignore
//! let server = serve_with(listener, &ServerOptions::default(), async move |stream, peer| {
//!     let router = router.clone();
//!     let service = service_fn(move |mut request: Request<Incoming>| {
//!         request.extensions_mut().insert(peer); // a handler takes `Extension(peer)`
//!         router.clone().oneshot(request) // tower::ServiceExt
//!     });
//!     std::io::Result::Ok((Io::new(stream), service))
//! })?;
//! ```
//!
//! # HTTPS
//!
//! With the feature `rustls`, the function passed to [`serve_with`] makes the handshake. HTTP/2
//! needs its name in ALPN, else browsers and curl speak HTTP/1.1:
//!
//! ```ignore
//! config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
//! let acceptor = TlsAcceptor::from(Arc::new(config)); // a rustls::ServerConfig
//! let server = serve_with(listener, &ServerOptions::default(), async move |stream, _peer| {
//!     let stream = acceptor.accept(stream).await?;
//!     std::io::Result::Ok((Io::new(stream), TowerToHyperService::new(router.clone())))
//! })?;
//! ```
//!
//! # A client
//!
//! ```
//! use evloop::hyper::Io;
//! use evloop::net::TcpStream;
//! use hyper::client::conn::http1;
//! # use std::convert::Infallible;
//! # use evloop::net::TcpListener;
//! # use hyper::{Request, Response, StatusCode, service::service_fn};
//!
//! # evloop::block_on(async {
//! # let listener = TcpListener::bind("127.0.0.1:0").await?;
//! # let service = service_fn(async |_| Ok::<_, Infallible>(Response::new(String::new())));
//! # let server = evloop::hyper::serve(listener, service)?;
//! # let addr = server.local_addrs()[0];
//! let stream = TcpStream::connect(addr).await?;
//! let (mut sender, connection) = http1::handshake(Io::new(stream)).await?;
//! evloop::spawn(connection).detach();
//! let request = Request::get("/").header("host", "a").body(String::new())?;
//! let response = sender.send_request(request).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # }).unwrap();
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
