//! Solution of exercise 1.1: wait for the first of three peers, with a time limit.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_1_deadline
//! ```
//!
//! prints
//!
//! ```text
//! limit of 10 ms: no peer has sent
//! limit of 10 s: peer 2 has sent "hello"
//! ```

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::time::Timespec;

fn main() -> io::Result<()> {
    let pairs = (0..3).map(|_| UnixStream::pair()).collect::<io::Result<Vec<_>>>()?;
    let (mut sockets, mut peers): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();

    if first_readable(&sockets, Duration::from_millis(10))?.is_none() {
        println!("limit of 10 ms: no peer has sent");
    }
    peers[2].write_all(b"hello")?;
    if let Some(index) = first_readable(&sockets, Duration::from_secs(10))? {
        let mut buf = [0; 16];
        let count = sockets[index].read(&mut buf)?;
        let text = String::from_utf8_lossy(&buf[..count]);
        println!("limit of 10 s: peer {index} has sent {text:?}");
    }
    Ok(())
}

/// Returns the first socket that is readable, or `None` after `limit`.
fn first_readable(sockets: &[UnixStream], limit: Duration) -> io::Result<Option<usize>> {
    let deadline = Instant::now() + limit;
    let mut list: Vec<_> = sockets.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    loop {
        // A signal interrupts poll. The next call must wait for the rest of the time only.
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut list, Some(&left)) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            // An entry is also ready if its peer has closed: HUP without IN.
            Ok(_) => return Ok(list.iter().position(|entry| !entry.revents().is_empty())),
        }
    }
}
