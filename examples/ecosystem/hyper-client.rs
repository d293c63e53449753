//! Fetches URLs by the client of hyper-util, which keeps its connections in a pool.
//!
//! ```sh
//! cd examples/ecosystem
//! cargo run --bin axum                  # a server, on another terminal
//! cargo run --bin hyper-client http://localhost:8080/hello/{a,b,c}
//! cargo run --bin hyper-client -- --http2 http://localhost:8080/hello/{a,b,c}
//! ```
//!
//! It fetches all URLs at once, two times, and prints a line for each. Then it prints how many
//! connections it made: with HTTP/1 as many as URLs, since the second round uses the pool; with
//! HTTP/2 one.
//!
//! Its connections are those of `connector.rs`.

use std::cell::Cell;
use std::error::Error;
use std::rc::Rc;

use evloop::hyper::{Executor, Timer};
use evloop::task::gather;
use http_body_util::{BodyExt, Empty};
use hyper::Uri;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;

mod connector;

use connector::Connector;

type BoxError = Box<dyn Error + Send + Sync>;
type Pool = Client<Connector, Empty<Bytes>>;

async fn fetch(pool: &Pool, uri: &Uri) -> Result<String, BoxError> {
    let response = pool.get(uri.clone()).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok(format!("{status} {} bytes", body.len()))
}

fn main() -> Result<(), BoxError> {
    let (flags, urls): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|arg| arg.starts_with("--"));
    let uris = urls.iter().map(|url| url.parse()).collect::<Result<Vec<Uri>, _>>()?;
    evloop::block_on(async {
        let connections = Rc::new(Cell::new(0));
        let pool: Pool = Client::builder(Executor)
            .timer(Timer)
            .pool_timer(Timer)
            .http2_only(flags.iter().any(|flag| flag == "--http2"))
            .build(Connector::new(connections.clone()));
        for _ in 0..2 {
            for (uri, answer) in
                uris.iter().zip(gather(uris.iter().map(|uri| fetch(&pool, uri))).await)
            {
                println!("{} {uri}", answer.unwrap_or_else(|error| error.to_string()));
            }
        }
        println!("{} connections", connections.get());
        Ok(())
    })
}
