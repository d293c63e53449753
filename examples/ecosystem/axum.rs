//! A server with axum's router, over HTTP/1 and HTTP/2 on one port, and a WebSocket that echoes.
//!
//! ```sh
//! cd examples/ecosystem
//! cargo run --bin axum                  # listens on 127.0.0.1:8080
//! cargo run --bin axum '[::1]:9000'     # or another address
//! ```
//!
//! It prints `listening on 127.0.0.1:8080`. Then, on another terminal:
//!
//! ```sh
//! curl localhost:8080/hello/you
//! curl --http2-prior-knowledge localhost:8080/visits
//! curl -d 'in capitals' localhost:8080/upper
//! curl localhost:8080/sleep/1000
//! curl -i localhost:8080/sleep/60000    # 504 Gateway Timeout, after 2 seconds
//! ```
//!
//! and in a browser's console:
//!
//! ```js
//! ws = new WebSocket("ws://127.0.0.1:8080");
//! ws.onmessage = message => console.log(message.data);
//! ws.onopen = () => ws.send("hello");
//! ```
//!
//! Ctrl-C ends it: requests that have begun are completed, for at most 10 seconds.
//!
//! axum requires that handlers, their futures and the state are `Send`. What is not has a
//! `task::Local`: here the counter of `/visits`, and the futures of `/sleep` and of the time limit,
//! which hold timers of evloop. The WebSocket is that of async-tungstenite: axum's own needs tokio.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use async_tungstenite::tungstenite::protocol::Role;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use evloop::hyper::{Io, ServerOptions, serve_with};
use evloop::net::TcpListener;
use evloop::runtime::Handle;
use evloop::task::Local;
use evloop::time::timeout;
use futures::StreamExt;
use hyper_util::service::TowerToHyperService;

/// The maximum time of a request.
const LIMIT: Duration = Duration::from_secs(2);

/// Shared by the handlers and other tasks of this thread, which need no lock.
type Visits = Arc<Local<u64>>;

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    evloop::block_on(async {
        let visits = Arc::new(Local::new(0));
        let listener = TcpListener::bind(addr).await?;
        println!("listening on {}", listener.local_addr()?);
        let service = TowerToHyperService::new(router(visits.clone()));
        let options = ServerOptions { upgrades: true, ..Default::default() };
        let server = serve_with(listener, &options, async move |stream, _| {
            io::Result::Ok((Io::new(stream), service.clone()))
        })?;
        evloop::signal::ctrl_c().await?;
        let aborted = server.stop(Duration::from_secs(10)).await;
        let visits = visits.with(|visits| *visits);
        println!("{visits} visits, {aborted} connections aborted");
        Ok(())
    })
}

fn router(visits: Visits) -> Router {
    Router::new()
        .route("/", get(open_websocket))
        .route("/hello/{name}", get(hello))
        .route("/upper", post(upper))
        .route("/visits", get(count))
        .route("/sleep/{ms}", get(|ms| Local::pin(sleep(ms))))
        .route("/tasks", get(tasks))
        .with_state(visits)
        .layer(from_fn(|request, next| Local::pin(limit_time(request, next))))
}

async fn hello(Path(name): Path<String>) -> String {
    format!("hello {name}\n")
}

async fn upper(body: String) -> String {
    body.to_uppercase()
}

async fn count(State(visits): State<Visits>) -> String {
    visits.with(|visits| {
        *visits += 1;
        format!("{visits}\n")
    })
}

async fn sleep(Path(ms): Path<u64>) -> String {
    evloop::time::sleep(Duration::from_millis(ms)).await;
    format!("slept {ms} ms\n")
}

/// Drops the handler of a request that takes too long. tower's own layer needs tokio's timers.
async fn limit_time(request: Request, next: Next) -> Response {
    match timeout(LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::GATEWAY_TIMEOUT.into_response(),
    }
}

/// The number of the loop's tasks: this connection has one.
async fn tasks() -> String {
    format!("{}\n", Handle::current().metrics().alive_tasks)
}

/// Answers the handshake of a WebSocket (RFC 6455, section 4.2.2). A task serves it then.
async fn open_websocket(headers: HeaderMap, request: Request) -> Response {
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY) else {
        return (StatusCode::BAD_REQUEST, "a WebSocket is here\n").into_response();
    };
    evloop::spawn(async {
        if let Err(error) = echo(request).await {
            eprintln!("a WebSocket: {error}");
        }
    })
    .detach();
    let answer = [
        (header::UPGRADE, "websocket".to_owned()),
        (header::CONNECTION, "upgrade".to_owned()),
        (header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes())),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, answer).into_response()
}

/// Sends each message back. The library answers pings and the closing handshake.
async fn echo(request: Request) -> Result<(), Box<dyn Error>> {
    let upgraded = Io::new(hyper::upgrade::on(request).await?);
    let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}
