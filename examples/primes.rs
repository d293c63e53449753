//! Counts primes on the blocking pool. The loop is not blocked: its timer ticks on time meanwhile.
//!
//! ```sh
//! cargo run --release --example primes              # below 10 millions
//! cargo run --release --example primes -- 100000000
//! ```
//!
//! prints, with other figures on another machine:
//!
//! ```text
//! 664579 primes below 10000000, counted by 2 threads in 1.1 s
//! meanwhile the loop ticked 221 times, at worst 0.4 ms late
//! ```
//!
//! The pool has one thread for each core: more threads do not speed up computation.

use std::env;
use std::ops::Range;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use evloop::task::{JoinError, spawn_blocking};
use evloop::time::{interval, now};

const DEFAULT_LIMIT: u64 = 10_000_000;

/// How many numbers one call on the pool checks.
const PIECE: u64 = 100_000;

const TICK: Duration = Duration::from_millis(5);

fn main() -> ExitCode {
    let limit = env::args().nth(1).map_or(Ok(DEFAULT_LIMIT), |limit| limit.parse());
    let Ok(limit) = limit else {
        eprintln!("usage: primes [limit]");
        return ExitCode::FAILURE;
    };
    let threads = thread::available_parallelism().map_or(1, |cores| cores.get());
    let runtime = evloop::Runtime::builder().blocking_threads_max(threads).build();
    let mut runtime = runtime.expect("the system provides a selector");
    runtime.block_on(async {
        let ticks = evloop::spawn(tick()).abort_on_drop();
        let begin = now();
        let primes = count_below(limit).await.expect("counting does not panic");
        let seconds = begin.elapsed().as_secs_f64();
        println!("{primes} primes below {limit}, counted by {threads} threads in {seconds:.1} s");
        drop(ticks);
    });
    ExitCode::SUCCESS
}

async fn count_below(limit: u64) -> Result<usize, JoinError> {
    let mut pieces = Vec::new();
    for begin in (0..limit).step_by(PIECE as usize) {
        let piece = begin..limit.min(begin + PIECE);
        // Starts at once, or when a thread is free.
        pieces.push(spawn_blocking(move || piece_count(piece)));
    }
    let mut primes = 0;
    for piece in pieces {
        primes += piece.await?;
    }
    Ok(primes)
}

fn piece_count(piece: Range<u64>) -> usize {
    piece.filter(|n| is_prime(*n)).count()
}

fn is_prime(n: u64) -> bool {
    let divisors = (3..).step_by(2).take_while(|divisor| divisor * divisor <= n);
    n == 2 || n > 2 && n % 2 == 1 && divisors.into_iter().all(|divisor| n % divisor != 0)
}

/// Statistics of the ticks. Prints them when it is dropped.
struct Ticks {
    count: usize,
    worst: Duration,
}

async fn tick() {
    let mut ticks = Ticks { count: 0, worst: Duration::ZERO };
    let mut interval = interval(TICK);
    loop {
        let due = interval.tick().await;
        ticks.count += 1;
        ticks.worst = ticks.worst.max(now().saturating_duration_since(due));
    }
}

impl Drop for Ticks {
    fn drop(&mut self) {
        let Ticks { count, worst } = self;
        let worst = worst.as_secs_f64() * 1e3;
        println!("meanwhile the loop ticked {count} times, at worst {worst:.1} ms late");
    }
}
