//! Solution of exercise 6.2: a session that is cancelled from outside says goodbye.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_6_goodbye
//! ```
//!
//! prints what the peer receives:
//!
//! ```text
//! hello
//! bye
//! the end
//! ```
//!
//! The code that cancels needs no change if a destructor does it. A destructor cannot await, and
//! `write` need not: it queues the line. The writer is dropped after that, and sends its queue
//! before it closes.

use std::io;

use evloop::{StreamReader, StreamWriter};

/// A session. Its destructor runs on every way out.
struct Session {
    writer: StreamWriter,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.writer.write("bye\n");
    }
}

async fn serve(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    let session = Session { writer };
    session.writer.write("hello\n");
    while !reader.read_line().await?.is_empty() {}
    Ok(())
}

fn main() -> io::Result<()> {
    evloop::block_on(async {
        let (one, other) = evloop::io::duplex(64);
        let (reader, writer) = evloop::streams::from_io(one);
        let (mut peer, _writer) = evloop::streams::from_io(other);
        let session = evloop::spawn(serve(reader, writer));
        print!("{}", String::from_utf8_lossy(&peer.read_line().await?));
        assert!(session.cancel().await.unwrap_err().is_cancelled());
        print!("{}", String::from_utf8_lossy(&peer.read_line().await?));
        assert!(peer.read_line().await?.is_empty());
        println!("the end");
        Ok(())
    })
}
