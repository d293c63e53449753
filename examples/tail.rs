//! Prints each line of its input when it arrives, and a note when none arrives for some seconds, as
//! Python's `select([stdin], [], [], 5)` does.
//!
//! ```sh
//! tail -f /var/log/syslog | cargo run --example tail        # 5 seconds
//! (echo one; sleep 2; echo two) | cargo run --example tail 1
//! ```
//!
//! ```text
//! one
//! (nothing for 1 s)
//! two
//! (the end)
//! ```

use std::io;
use std::time::Duration;

use evloop::io::{stdin, stdout};
use evloop::time::timeout;

fn main() -> io::Result<()> {
    let seconds = std::env::args().nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(5);
    evloop::block_on(follow(seconds))
}

async fn follow(seconds: u64) -> io::Result<()> {
    let (mut input, mut output) = (stdin(), stdout());
    loop {
        // After a timeout the received part of a line stays for the next call.
        match timeout(Duration::from_secs(seconds), input.read_line()).await {
            Ok(line) => match &*line? {
                [] => return output.write_all(b"(the end)\n").await,
                line => output.write_all(line).await?,
            },
            Err(_) => {
                let note = format!("(nothing for {seconds} s)\n");
                output.write_all(note.as_bytes()).await?;
            }
        }
    }
}
