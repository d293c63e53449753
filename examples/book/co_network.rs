//! A coroutine at the other end of a connection: the lines go through a TCP socket.
//!
//! ```sh
//! cargo run --package evloop-book --example co_network
//! ```
//!
//! prints
//!
//! ```text
//! at the server: a python is a snake
//! at the server: python generators
//! ```
//!
//! Client and server are tasks of one loop here. They can be two programs on two hosts.

use std::io;

use evloop::coroutine::Coroutine;
use evloop::sync::oneshot;
use evloop::{StreamReader, StreamWriter};

/// A coroutine that receives lines and yields no values.
type Sink = Coroutine<'static, (), String>;

fn main() -> io::Result<()> {
    evloop::block_on(async {
        let (ended, end) = oneshot::channel();
        let ended = std::cell::Cell::new(Some(ended));
        let server = evloop::start_server("127.0.0.1:0", move |reader, writer| {
            let ended = ended.take();
            async move {
                let received = receive_from(reader, printer("at the server")).await;
                drop(writer); // closes the connection: not before all was received
                ended.map(|ended| ended.send(received));
            }
        })
        .await?;

        let (_reader, writer) = evloop::open_connection(server.local_addrs()[0]).await?;
        let mut pipeline = grep("python", send_to(writer));
        pipeline.next();
        for line in ["a python is a snake", "a tiger is a cat", "python generators"] {
            pipeline.send(line.to_string());
        }
        // Drops the writer: it sends what it holds and closes the connection.
        pipeline.close();
        end.await.expect("the server received a connection")
    })
}

/// The end of the client's half. `write` queues the bytes and never waits, so a coroutine can call
/// it. A sender of much data also awaits `drain`, in a task.
fn send_to(writer: StreamWriter) -> Sink {
    Coroutine::new(async move |co| {
        loop {
            let line: String = co.yield_(()).await;
            writer.write(line + "\n");
        }
    })
}

/// The start of the server's half: awaits each line, and sends it to a coroutine.
async fn receive_from(mut reader: StreamReader, mut target: Sink) -> io::Result<()> {
    target.next();
    while let Some(line) = reader.lines().next().await {
        target.send(String::from_utf8_lossy(&line?).trim_end().to_string());
    }
    Ok(())
}

/// Forwards the lines that contain `word`.
fn grep(word: &'static str, mut target: Sink) -> Sink {
    target.next();
    Coroutine::new(async move |co| {
        loop {
            let line: String = co.yield_(()).await;
            if line.contains(word) {
                target.send(line);
            }
        }
    })
}

fn printer(name: &'static str) -> Sink {
    Coroutine::new(async move |co| {
        loop {
            println!("{name}: {}", co.yield_(()).await);
        }
    })
}
