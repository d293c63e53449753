//! Solution of exercise 1.3: a sleep in the retry loop, latency against processor time.
//!
//! ```sh
//! cargo run --release --package evloop-book --example solution_1_latency
//! ```
//!
//! prints, with other times on another machine. Here other programs used the processor, too:
//!
//! ```text
//! sleep         noticed after   processor time
//! 0 ms               3.95 ms          5.00 ms
//! 0.1 ms             0.11 ms          0.61 ms
//! 1 ms               0.33 ms          0.21 ms
//! 10 ms              4.81 ms          0.18 ms
//! none: poll         0.11 ms          0.11 ms
//! ```
//!
//! A longer sleep costs less and notices the bytes later. The loop without a sleep uses a whole
//! core. On a busy machine it is late as well: the kernel lets other threads run before one that
//! never sleeps. poll costs nothing while it waits, and returns when the bytes arrive.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{ClockId, clock_gettime};

const DELAY: Duration = Duration::from_millis(5);
const ROUNDS: u32 = 50;

fn main() -> io::Result<()> {
    println!("sleep         noticed after   processor time");
    for micros in [0, 100, 1_000, 10_000] {
        let name = format!("{} ms", micros as f64 / 1e3);
        measure(&name, |socket| {
            socket.set_nonblocking(true)?;
            wait_by_retries(socket, Duration::from_micros(micros))
        })?;
    }
    measure("none: poll", |socket| {
        poll(&mut [PollFd::new(&*socket, PollFlags::IN)], None)?;
        socket.read_exact(&mut [0])
    })
}

/// Reads one byte. Sleeps between two tries.
fn wait_by_retries(socket: &mut UnixStream, pause: Duration) -> io::Result<()> {
    loop {
        match socket.read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            result => return result.map(drop),
        }
        if !pause.is_zero() {
            thread::sleep(pause);
        }
    }
}

/// Prints the mean time from the send to the end of `wait`, and the processor time of a round.
fn measure(name: &str, mut wait: impl FnMut(&mut UnixStream) -> io::Result<()>) -> io::Result<()> {
    let (mut late, begin) = (Duration::ZERO, processor_time());
    for _ in 0..ROUNDS {
        let (mut socket, mut peer) = UnixStream::pair()?;
        let sender = thread::spawn(move || {
            thread::sleep(DELAY);
            let sent = Instant::now();
            peer.write_all(b"x").map(|()| sent)
        });
        wait(&mut socket)?;
        let now = Instant::now();
        let sent = sender.join().expect("the peer does not panic")?;
        late += now.saturating_duration_since(sent);
    }
    let [late, used] =
        [late, processor_time() - begin].map(|total| total.as_secs_f64() * 1e3 / f64::from(ROUNDS));
    println!("{name:<11} {late:>11.2} ms {used:>13.2} ms");
    Ok(())
}

/// Returns the time that the threads of this process have run.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
