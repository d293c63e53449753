//! A chat server, stage 2: it reads lines, and answers each with its number.
//!
//! ```sh
//! cargo run --package evloop-book --example chat_2_lines
//! nc 127.0.0.1 7777     # in another terminal
//! ```
//!
//! prints `listening on 127.0.0.1:7777`. The client sends two lines and receives:
//!
//! ```text
//! 1: hello
//! 2: how are you?
//! ```

use std::env;
use std::io;

use evloop::{StreamReader, StreamWriter, start_server};

fn main() -> io::Result<()> {
    let addr = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_string());
    evloop::block_on(async {
        let server = start_server(addr, number).await?;
        println!("listening on {}", server.local_addrs()[0]);
        server.serve_forever().await
    })
}

async fn number(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    let mut lines = reader.lines();
    let mut count = 0;
    while let Some(line) = lines.next().await {
        count += 1;
        writer.write(format!("{count}: {}\n", text(&line?)));
        writer.drain().await?;
    }
    Ok(())
}

/// Returns a line as text, without its end. Bytes that are not UTF-8 become `U+FFFD`.
fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end().to_string()
}
