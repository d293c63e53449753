//! Blocking I/O: a read waits for its own descriptor and for nothing else.
//!
//! ```sh
//! cargo run --package evloop-book --example wait_blocking
//! ```
//!
//! prints
//!
//! ```text
//! one thread:  a, b
//! two threads: b, a
//! ```
//!
//! The peer `b` sends at once, the peer `a` after 200 ms. One thread that reads `a` first does not
//! see what `b` has sent. A thread for each peer sees it.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const DELAY: Duration = Duration::from_millis(200);

fn main() -> io::Result<()> {
    println!("one thread:  {}", one_thread()?.join(", "));
    println!("two threads: {}", two_threads()?.join(", "));
    Ok(())
}

/// Reads from `a`, then from `b`. Returns the names in the order in which they were received.
fn one_thread() -> io::Result<Vec<String>> {
    let (mut a, mut b) = (peer("a", DELAY)?, peer("b", Duration::ZERO)?);
    // Blocks for 200 ms, while the bytes of `b` lie in its receive buffer.
    let first = read(&mut a)?;
    let second = read(&mut b)?;
    Ok(vec![first, second])
}

/// Reads from both at the same time. A blocking read blocks only its own thread.
fn two_threads() -> io::Result<Vec<String>> {
    let (sender, receiver) = mpsc::channel();
    for mut socket in [peer("a", DELAY)?, peer("b", Duration::ZERO)?] {
        let sender = sender.clone();
        thread::spawn(move || sender.send(read(&mut socket)));
    }
    drop(sender);
    receiver.iter().collect()
}

/// Returns a socket whose other end sends `name` after `delay`.
fn peer(name: &'static str, delay: Duration) -> io::Result<UnixStream> {
    let (ours, mut theirs) = UnixStream::pair()?;
    thread::spawn(move || {
        thread::sleep(delay);
        theirs.write_all(name.as_bytes())
    });
    Ok(ours)
}

fn read(socket: &mut UnixStream) -> io::Result<String> {
    let mut buf = [0; 16];
    let count = socket.read(&mut buf)?;
    Ok(String::from_utf8_lossy(&buf[..count]).into_owned())
}
