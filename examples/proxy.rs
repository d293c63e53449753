//! A TCP proxy: forwards each connection to another address, in both directions.
//!
//! ```sh
//! cargo run --example proxy 127.0.0.1:7778 example.org:80
//! ```
//!
//! It prints `listening on 127.0.0.1:7778`. In another terminal:
//!
//! ```sh
//! curl -H 'Host: example.org' http://127.0.0.1:7778
//! ```
//!
//! The proxy prints the number of bytes in each direction:
//!
//! ```text
//! 127.0.0.1:40174: 78 bytes there, 1591 back
//! ```

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;

use evloop::io::copy_bidirectional;
use evloop::net::{TcpListener, TcpStream};

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [from, to] = &args[..] else {
        eprintln!("usage: proxy LISTEN-ADDRESS TARGET-ADDRESS");
        return ExitCode::FAILURE;
    };
    match evloop::block_on(serve(from, to)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("proxy: {error}");
            ExitCode::FAILURE
        }
    }
}

pub(crate) async fn serve(from: &str, to: &str) -> io::Result<()> {
    let listener = TcpListener::bind(from).await?;
    println!("listening on {}", listener.local_addr()?);
    let to: Rc<str> = to.into();
    loop {
        match listener.accept().await {
            Ok((client, peer)) => evloop::spawn(forward(client, peer, to.clone())).detach(),
            // The listener stays usable: the next accept waits until it may succeed.
            Err(error) => eprintln!("accept: {error}"),
        }
    }
}

/// Forwards one connection until both directions have ended. After one has ended, the other goes
/// on.
async fn forward(client: TcpStream, peer: SocketAddr, to: Rc<str>) {
    let copied = async {
        let server = TcpStream::connect(&*to).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        copy_bidirectional(client, server).await
    };
    match copied.await {
        Ok((there, back)) => println!("{peer}: {there} bytes there, {back} back"),
        Err(error) => eprintln!("{peer}: {error}"),
    }
}
