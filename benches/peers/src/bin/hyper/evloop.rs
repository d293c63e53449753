//! hyper on evloop, by its server.

use std::io;

use evloop::hyper::{Io, Protocol, ServerOptions, serve_with};
use evloop::net::TcpListener;
use evloop_peers::job::{Job, announce};
use evloop_peers::plaintext::{HEADER_TIMEOUT, hello};
use hyper::service::service_fn;

fn main() -> io::Result<()> {
    let job = Job::from_args();
    let mut options = ServerOptions {
        protocol: Protocol::Http1,
        header_timeout: (job.workload == "hyper_timed").then_some(HEADER_TIMEOUT),
        upgrades: job.workload == "hyper_upgrades",
        ..Default::default()
    };
    options.http1.pipeline_flush(true);
    if job.workload == "hyper_http2" {
        options.protocol = Protocol::Http2;
    }
    evloop::block_on(serve(options))
}

async fn serve(options: ServerOptions) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?);
    let server = serve_with(listener, &options, async |stream, _| {
        stream.set_nodelay(true)?;
        io::Result::Ok((Io::new(stream), service_fn(hello)))
    })?;
    server.serve_forever().await
}
