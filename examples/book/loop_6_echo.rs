//! Step 6 of the loop: an echo server on the whole loop, which is the file `toy_loop.rs`.
//!
//! ```sh
//! cargo run --package evloop-book --example loop_6_echo
//! ```
//!
//! prints
//!
//! ```text
//! b: "hello from b"
//! a: "hello from a"
//! c: "hello from c"
//! ```
//!
//! With an address it only serves, for as many clients as come:
//!
//! ```sh
//! cargo run --package evloop-book --example loop_6_echo 127.0.0.1:8000
//! ```

use std::env;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};

mod toy_loop;

use toy_loop::{Direction, Socket, block_on, sleep, spawn};

fn main() -> io::Result<()> {
    block_on(async {
        let addr = env::args().nth(1).unwrap_or("127.0.0.1:0".into());
        let addr = addr.parse().map_err(|_| io::Error::other("not an address"))?;
        let listener = Socket::new(TcpListener::bind(addr)?)?;
        let addr = listener.get_ref().local_addr()?;
        if env::args().len() > 1 {
            return serve(listener).await;
        }
        spawn(async { serve(listener).await.expect("accept succeeds") });
        spawn(async move { client("a", 20, addr).await.expect("the server echoes") });
        spawn(async move { client("b", 10, addr).await.expect("the server echoes") });
        client("c", 100, addr).await
    })
}

async fn serve(listener: Socket<TcpListener>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.io(Direction::Read, TcpListener::accept).await?;
        let stream = Socket::new(stream)?;
        spawn(async move { echo(stream).await.unwrap_or_else(|error| eprintln!("{error}")) });
    }
}

/// Sends back what is received, until the peer ends its direction.
async fn echo(stream: Socket<TcpStream>) -> io::Result<()> {
    let mut buf = [0; 1024];
    loop {
        let count = stream.read(&mut buf).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buf[..count]).await?;
    }
}

async fn client(name: &str, millis: u64, addr: SocketAddr) -> io::Result<()> {
    sleep(Duration::from_millis(millis)).await;
    // Blocks the loop until the peer's kernel answers: on the loopback interface at once.
    let stream = std::net::TcpStream::connect(addr)?;
    stream.set_nonblocking(true)?;
    let stream = Socket::new(TcpStream::from_std(stream))?;
    let text = format!("hello from {name}");
    stream.write_all(text.as_bytes()).await?;
    let (mut received, mut buf) = (Vec::new(), [0; 16]);
    while received.len() < text.len() {
        let count = stream.read(&mut buf).await?;
        received.extend(&buf[..count]);
    }
    println!("{name}: {:?}", String::from_utf8_lossy(&received));
    Ok(())
}
