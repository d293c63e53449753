//! A chat server, stage 1: it sends the bytes of each client back to that client.
//!
//! ```sh
//! cargo run --package evloop-book --example chat_1_echo
//! nc 127.0.0.1 7777     # in another terminal
//! ```
//!
//! prints `listening on 127.0.0.1:7777`. The client sends and receives:
//!
//! ```text
//! hello
//! hello
//! ```

use std::env;
use std::io;

use evloop::{StreamReader, StreamWriter, start_server};

/// The most bytes of one read.
const READ_MAX: usize = 1024;

fn main() -> io::Result<()> {
    let addr = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_string());
    evloop::block_on(async {
        let server = start_server(addr, echo).await?;
        println!("listening on {}", server.local_addrs()[0]);
        server.serve_forever().await
    })
}

/// Serves one connection. It runs in a task of its own.
async fn echo(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    loop {
        let bytes = reader.read(READ_MAX).await?;
        if bytes.is_empty() {
            return Ok(()); // the client has ended its direction
        }
        writer.write(bytes);
        writer.drain().await?; // waits if the client does not receive
    }
}
