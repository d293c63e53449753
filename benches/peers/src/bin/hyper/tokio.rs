//! hyper on tokio's `current_thread` runtime, with hyper-util's adapter.

use std::io;

use evloop_peers::job::{Job, announce};
use evloop_peers::plaintext;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task;

fn main() -> io::Result<()> {
    Job::from_args();
    Builder::new_current_thread().enable_all().build()?.block_on(serve())
}

async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        task::spawn(plaintext::serve(TokioIo::new(stream)));
    }
}
