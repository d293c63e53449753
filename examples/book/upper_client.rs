//! The interactive client of the upper-casing server: it sends a line and prints the answer.
//!
//! ```sh
//! cargo run --package evloop-book --example green_server 127.0.0.1:7777
//! cargo run --package evloop-book --example upper_client
//! ```
//!
//! The second line is for another terminal. Type lines. Ctrl-D ends it:
//!
//! ```text
//! >>: hello
//! HELLO
//! >>: how are you?
//! HOW ARE YOU?
//! ```
//!
//! The answer to a line is a line. Without that rule the client would not know how much to read.

use std::env;
use std::io::{self, Write};

use evloop::open_connection;

fn main() -> io::Result<()> {
    let addr = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_string());
    evloop::block_on(async {
        let (mut reader, writer) = open_connection(addr).await?;
        let mut keyboard = evloop::io::stdin();
        loop {
            print!(">>: ");
            io::stdout().flush()?;
            // Python's `input` would block the loop. This waits as for a socket.
            let line = keyboard.read_line().await?;
            if line.is_empty() {
                println!();
                return Ok(()); // Ctrl-D
            }
            if line.trim_ascii().is_empty() {
                continue; // the server would see no difference, and the user no answer
            }
            writer.write([line.trim_ascii_end(), b"\n"].concat());
            let answer = reader.read_line().await?;
            if answer.is_empty() {
                return Err(io::Error::other("the server has closed the connection"));
            }
            io::stdout().write_all(&answer)?;
        }
    })
}
