//! Non-blocking I/O: a read that would wait returns an error instead, and the program tries again.
//!
//! ```sh
//! cargo run --package evloop-book --example wait_nonblocking
//! ```
//!
//! prints
//!
//! ```text
//! the first read: WouldBlock
//! the last read: "hello"
//! ```
//!
//! and on stderr what the retry loop has cost. On one machine, beside other programs:
//!
//! ```console
//! 171580 calls returned WouldBlock. They took 67 ms of processor time in 104 ms.
//! ```

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

const DELAY: Duration = Duration::from_millis(100);

fn main() -> io::Result<()> {
    let (mut socket, mut peer) = UnixStream::pair()?;
    // Sets the flag O_NONBLOCK of the descriptor.
    socket.set_nonblocking(true)?;
    let mut buf = [0; 16];

    let error = socket.read(&mut buf).expect_err("the peer has sent nothing yet");
    println!("the first read: {:?}", error.kind());

    let sender = thread::spawn(move || {
        thread::sleep(DELAY);
        peer.write_all(b"hello")
    });
    let (begin, processor) = (Instant::now(), processor_time());
    let mut refused = 0;
    let count = loop {
        match socket.read(&mut buf) {
            // EAGAIN, the same number as EWOULDBLOCK: no bytes have arrived.
            Err(error) if error.kind() == ErrorKind::WouldBlock => refused += 1,
            // A signal interrupted the call: EINTR.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    let (elapsed, used) = (begin.elapsed(), processor_time() - processor);
    println!("the last read: {:?}", String::from_utf8_lossy(&buf[..count]));
    eprintln!(
        "{refused} calls returned WouldBlock. They took {} ms of processor time in {} ms.",
        used.as_millis(),
        elapsed.as_millis()
    );
    sender.join().expect("the peer does not panic")
}

/// Returns the time that the threads of this process have run.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
