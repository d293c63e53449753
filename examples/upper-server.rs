//! Sends back each line in upper case: asyncio's first server, `conn.send(data.upper())`.
//!
//! ```sh
//! cargo run --example upper-server                  # listens on 127.0.0.1:7777
//! cargo run --example upper-server '[::1]:9000'     # or where you like
//! ```
//!
//! It prints `listening on 127.0.0.1:7777`. In another terminal:
//!
//! ```sh
//! printf 'hello\nworld\n' | nc -N 127.0.0.1 7777
//! ```
//!
//! ```text
//! HELLO
//! WORLD
//! ```

use std::io;

use evloop::{StreamReader, StreamWriter, start_server};

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_owned());
    evloop::block_on(async {
        let server = start_server(addr, upper).await?;
        println!("listening on {}", server.local_addrs()[0]);
        server.serve_forever().await
    })
}

/// Serves one connection. Its error, if a client goes without a word, is a line on stderr.
async fn upper(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    let mut lines = reader.lines();
    while let Some(line) = lines.next().await {
        writer.write(&line?.to_ascii_uppercase());
        // Not before this client has taken most of what was sent is there more for it.
        writer.drain().await?;
    }
    Ok(())
}
