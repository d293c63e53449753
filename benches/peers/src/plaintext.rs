//! "Hello, World!" by hyper, as TechEmpower's plaintext has it: the service, which all runtimes
//! serve with the same options.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};

/// Of the workload that limits the time of a request's head.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Answers a request.
pub async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("Hello, World!")))
}
