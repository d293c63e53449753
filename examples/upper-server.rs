//! Sends each line back in upper case, as asyncio's first server: `conn.send(data.upper())`.
//!
//! ```sh
//! cargo run --example upper-server                  # listens on 127.0.0.1:7777
//! cargo run --example upper-server '[::1]:9000'     # or another address
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

/// Serves one connection. `start_server` prints its error to stderr, such as a reset.
async fn upper(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    let mut lines = reader.lines();
    while let Some(line) = lines.next().await {
        writer.write(line?.to_ascii_uppercase());
        // Flow control: waits until the client has received most of the sent bytes.
        writer.drain().await?;
    }
    Ok(())
}
