//! hyper on evloop.

use std::io;

use evloop::net::TcpListener;
use evloop_peers::job::{Job, announce};
use evloop_peers::plaintext;
use io_adapter::Io;

mod io_adapter;

fn main() -> io::Result<()> {
    Job::from_args();
    evloop::block_on(serve())
}

async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        drop(evloop::spawn(plaintext::serve(Io::new(stream))));
    }
}
