//! hyper on tokio's `current_thread` runtime, with hyper-util's adapters.

use std::io;

use evloop_peers::job::{Job, announce};
use evloop_peers::plaintext::{HEADER_TIMEOUT, hello};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task;

fn main() -> io::Result<()> {
    let job = Job::from_args();
    Builder::new_current_thread().enable_all().build()?.block_on(serve(&job.workload))
}

async fn serve(workload: &str) -> io::Result<()> {
    let http2 = http2::Builder::new(TokioExecutor::new());
    let mut http1 = http1::Builder::new();
    http1.pipeline_flush(true);
    if workload == "hyper_timed" {
        http1.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (io, service) = (TokioIo::new(stream), service_fn(hello));
        match workload {
            "hyper_http2" => task::spawn(http2.serve_connection(io, service)),
            "hyper_upgrades" => task::spawn(http1.serve_connection(io, service).with_upgrades()),
            _ => task::spawn(http1.serve_connection(io, service)),
        };
    }
}
