//! "Hello, World!" by hyper, as TechEmpower's plaintext has it. Each runtime has its own adapter
//! from its TCP stream to hyper's traits.

use std::convert::Infallible;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};

/// Answers the requests of one connection, pipelined ones with one write.
pub async fn serve(io: impl Read + Write + Unpin + 'static) -> hyper::Result<()> {
    http1::Builder::new().pipeline_flush(true).serve_connection(io, service_fn(hello)).await
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("Hello, World!")))
}
