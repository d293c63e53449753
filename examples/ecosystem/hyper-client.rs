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
//! The pool requires `Send` of connections, so a connection is a `task::Local`.

use std::cell::Cell;
use std::error::Error;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use evloop::hyper::{Executor, Io, Timer};
use evloop::net::TcpStream;
use evloop::task::{Local, gather};
use http_body_util::{BodyExt, Empty};
use hyper::Uri;
use hyper::body::Bytes;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};

type BoxError = Box<dyn Error + Send + Sync>;

/// Connects by evloop, and counts the connections.
#[derive(Clone)]
struct Connector(Arc<Local<Rc<Cell<u32>>>>);

/// A connection on evloop.
struct Stream(Local<Io<TcpStream>>);

impl tower_service::Service<Uri> for Connector {
    type Response = Stream;
    type Error = io::Error;
    type Future = Local<Pin<Box<dyn Future<Output = io::Result<Stream>>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        self.0.with(|connections| connections.set(connections.get() + 1));
        Local::new(Box::pin(async move {
            let host = uri.host().ok_or(io::ErrorKind::InvalidInput)?;
            let port = uri.port_u16().unwrap_or(80);
            let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
            stream.set_nodelay(true)?;
            Ok(Stream(Local::new(Io::new(stream))))
        }))
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }
}

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
            .build(Connector(Arc::new(Local::new(connections.clone()))));
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
