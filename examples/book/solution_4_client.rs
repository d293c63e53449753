//! Solution of exercise 4.3: a client that waits for the server and for the keyboard at once.
//!
//! ```sh
//! cargo run --package evloop-book --example chat_4_rooms
//! cargo run --package evloop-book --example solution_4_client
//! ```
//!
//! The second line is for two other terminals. Type a name and then lines. Ctrl-D ends the client.
//! It prints what the server sends:
//!
//! ```text
//! * your name?
//! * bea is in lobby
//! <bea> hello
//! ```

use std::env;
use std::io::{self, Write};

use evloop::open_connection;

fn main() -> io::Result<()> {
    let addr = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_string());
    evloop::block_on(talk(&addr))
}

async fn talk(addr: &str) -> io::Result<()> {
    let (mut reader, writer) = open_connection(addr).await?;
    let mut keyboard = evloop::io::stdin();
    let mut is_typing = true;
    loop {
        // Both reads are cancel safe: the bytes of the one that is dropped stay in its buffer.
        evloop::select! {
            line = reader.read_line() => {
                let line = line?;
                if line.is_empty() {
                    return Ok(()); // the server has ended
                }
                io::stdout().write_all(&line)?;
            }
            line = keyboard.read_line(), if is_typing => {
                let line = line?;
                is_typing = !line.is_empty();
                if is_typing {
                    writer.write(line);
                } else {
                    writer.shutdown_write(); // Ctrl-D: the rest of the answers still comes
                }
            }
        }
    }
}
