//! The greenlet server: a task for each connection, which sends the bytes back in upper case.
//!
//! ```sh
//! cargo run --package evloop-book --example green_server
//! cargo run --package evloop-book --example green_server 127.0.0.1:7777     # for other clients
//! ```
//!
//! Without an address it prints
//!
//! ```text
//! 200 clients, 2000 answers
//! ```
//!
//! The clients are tasks of the same loop: the whole program is one thread.

use std::env;
use std::io;
use std::net::SocketAddr;

use evloop::net::{TcpListener, TcpStream};
use evloop::task;

/// Each client needs two descriptors here, one at each end. Many systems allow 1,024 by default.
const CLIENTS: usize = 200;
const MESSAGES: usize = 10;

fn main() -> io::Result<()> {
    evloop::block_on(async {
        if let Some(addr) = env::args().nth(1) {
            let listener = TcpListener::bind(addr).await?;
            println!("listening on {}", listener.local_addr()?);
            return serve(listener).await;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        evloop::spawn(serve(listener)).detach();
        let answers = task::try_gather((0..CLIENTS).map(|_| client(addr))).await?;
        println!("{CLIENTS} clients, {} answers", answers.iter().sum::<usize>());
        Ok(())
    })
}

/// Accepts connections for ever.
async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        evloop::spawn(talk(stream)).detach(); // gevent.spawn(talk, conn)
    }
}

async fn talk(stream: TcpStream) -> io::Result<()> {
    let mut buf = [0; 1024];
    loop {
        let count = stream.read(&mut buf).await?;
        if count == 0 {
            return Ok(());
        }
        buf[..count].make_ascii_uppercase();
        stream.write_all(&buf[..count]).await?;
    }
}

/// Sends messages and waits for the answer to each. Returns the number of correct answers.
async fn client(addr: SocketAddr) -> io::Result<usize> {
    let stream = TcpStream::connect(addr).await?;
    let (mut buf, mut correct) = ([0; 5], 0);
    for _ in 0..MESSAGES {
        stream.write_all(b"hello").await?;
        stream.read_exact(&mut buf).await?;
        correct += usize::from(&buf == b"HELLO");
    }
    Ok(correct)
}
