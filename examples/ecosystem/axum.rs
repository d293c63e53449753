//! A server with axum's router, over HTTP/1 and HTTP/2 on one port.
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
//! Ctrl-C ends it: requests that have begun are completed, for at most 10 seconds.
//!
//! axum requires that handlers, their futures and the state are `Send`. What is not has a
//! `task::Local`: here the counter of `/visits`, and the futures of `/sleep` and of the time limit,
//! which hold timers of evloop.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use evloop::net::TcpListener;
use evloop::task::Local;
use evloop::time::timeout;
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
        let server = evloop::hyper::serve(listener, service)?;
        evloop::signal::ctrl_c().await?;
        let aborted = server.stop(Duration::from_secs(10)).await;
        let visits = visits.with(|visits| *visits);
        println!("{visits} visits, {aborted} connections aborted");
        Ok(())
    })
}

fn router(visits: Visits) -> Router {
    Router::new()
        .route("/hello/{name}", get(hello))
        .route("/upper", post(upper))
        .route("/visits", get(count))
        .route("/sleep/{ms}", get(|ms| Local::pin(sleep(ms))))
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
