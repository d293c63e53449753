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
//! ```
//!
//! Ctrl-C ends it: requests that have begun are completed, for at most 10 seconds.
//!
//! axum requires that handlers, their futures and the state are `Send`. What is not has a
//! `task::Local`: here the counter of `/visits`, and the sleep of `/sleep`.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use evloop::net::TcpListener;
use evloop::task::Local;
use hyper_util::service::TowerToHyperService;

/// Shared with other tasks of this thread, which need no lock.
type Visits = Arc<Local<Rc<Cell<u64>>>>;

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    evloop::block_on(async {
        let visits = Rc::new(Cell::new(0));
        let listener = TcpListener::bind(addr).await?;
        println!("listening on {}", listener.local_addr()?);
        let service = TowerToHyperService::new(router(Arc::new(Local::new(visits.clone()))));
        let server = evloop::hyper::serve(listener, service)?;
        evloop::signal::ctrl_c().await?;
        let aborted = server.stop(Duration::from_secs(10)).await;
        println!("{} visits, {aborted} connections aborted", visits.get());
        Ok(())
    })
}

fn router(visits: Visits) -> Router {
    Router::new()
        .route("/hello/{name}", get(hello))
        .route("/upper", post(upper))
        .route("/visits", get(count))
        .route("/sleep/{ms}", get(sleep))
        .with_state(visits)
}

async fn hello(Path(name): Path<String>) -> String {
    format!("hello {name}\n")
}

async fn upper(body: String) -> String {
    body.to_uppercase()
}

async fn count(State(visits): State<Visits>) -> String {
    visits.with(|visits| visits.set(visits.get() + 1));
    format!("{}\n", visits.with(|visits| visits.get()))
}

async fn sleep(Path(ms): Path<u64>) -> String {
    Local::new(evloop::time::sleep(Duration::from_millis(ms))).await;
    format!("slept {ms} ms\n")
}
