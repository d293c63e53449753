//! The same computation on one loop, on threads, and in processes: which one takes how long, and
//! what a job that crashes ends.
//!
//! ```sh
//! cargo run --release --example process-pool [LIMIT]
//! ```
//!
//! It counts the primes below the limit, in jobs of 100,000 numbers each, and prints how long that
//! takes and how late a timer of the loop was meanwhile:
//!
//! ```text
//! primes below 2000000, on 2 cores
//! one loop:  148933 in 300 ms, a timer was late by 51 ms at most
//! threads:   148933 in 160 ms, a timer was late by 1 ms at most
//! processes: 148933 in 165 ms, a timer was late by 0 ms at most
//! a crash: the worker process of the job ended before it answered: signal: 6 (SIGABRT)
//! a job without end: timed out after 50ms
//! ```
//!
//! - On the loop the jobs use one core and delay all tasks: a timer waits for some of the jobs.
//! - Threads of the blocking pool use all cores and share memory. A job there cannot be stopped.
//!   One that crashes ends the program.
//! - Processes use all cores, and get their jobs as bytes: serde makes such of other types. A job
//!   that crashes or is cancelled ends its worker alone. The workers run this program too.

#[cfg(unix)]
mod program {
    use std::cell::Cell;
    use std::env;
    use std::io;
    use std::ops::Range;
    use std::thread;
    use std::time::Duration;

    use evloop::process::{self, Pool};
    use evloop::task::{gather_limit, spawn_blocking, yield_now};
    use evloop::time::{now, sleep_until, timeout};

    /// The number of candidates in one job.
    const STEP: u64 = 100_000;
    const DEFAULT_LIMIT: u64 = 2_000_000;
    const TICK: Duration = Duration::from_millis(5);
    /// A job that crashes.
    const CRASH: Range<u64> = 0..u64::MAX;

    fn count_primes(range: Range<u64>) -> u64 {
        if range == CRASH {
            std::process::abort();
        }
        let is_prime = |n: &u64| {
            *n > 1 && (2..).take_while(|divisor| divisor * divisor <= *n).all(|d| n % d != 0)
        };
        range.filter(is_prime).count() as u64
    }

    /// Returns a range as the bytes of a job.
    fn job(range: &Range<u64>) -> Vec<u8> {
        [range.start.to_le_bytes(), range.end.to_le_bytes()].concat()
    }

    /// Runs a job in a worker.
    fn run_job(job: &[u8]) -> Vec<u8> {
        count_primes(number(&job[..8])..number(&job[8..])).to_le_bytes().into()
    }

    fn number(bytes: &[u8]) -> u64 {
        u64::from_le_bytes(bytes.try_into().expect("a number has 8 bytes"))
    }

    pub(crate) fn main() -> io::Result<()> {
        process::worker(|job| run_job(&job));

        let limit = env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(DEFAULT_LIMIT);
        let begins = (0..limit).step_by(STEP as usize);
        let ranges: Vec<_> = begins.map(|begin| begin..limit.min(begin + STEP)).collect();
        evloop::block_on(compare(limit, &ranges))
    }

    async fn compare(limit: u64, ranges: &[Range<u64>]) -> io::Result<()> {
        let cores = thread::available_parallelism()?.get();
        let pool = Pool::new(cores)?;
        println!("primes below {limit}, on {cores} cores");
        measure("one loop: ", on_the_loop(ranges)).await?;
        measure("threads:  ", on_threads(ranges, cores)).await?;
        measure("processes:", in_processes(&pool, ranges)).await?;

        let crash = pool.run(job(&CRASH)).await.map(drop);
        println!("a crash: {}", crash.unwrap_err());
        let long = timeout(Duration::from_millis(50), pool.run(job(&(1 << 50..u64::MAX)))).await;
        println!("a job without end: {}", long.map(drop).unwrap_err());
        pool.shutdown().await;
        Ok(())
    }

    /// Prints how long `work` takes, and how late it makes a timer of the loop.
    async fn measure(name: &str, work: impl Future<Output = io::Result<u64>>) -> io::Result<()> {
        let (begin, late) = (now(), Cell::new(Duration::ZERO));
        let ticks = async {
            loop {
                let due = now() + TICK;
                sleep_until(due).await;
                late.set(late.get().max(now() - due));
            }
        };
        let primes = evloop::select! {
            primes = work => primes?,
            never = ticks => never,
        };
        let (took, late) = (begin.elapsed().as_millis(), late.get().as_millis());
        println!("{name} {primes} in {took} ms, a timer was late by {late} ms at most");
        Ok(())
    }

    async fn on_the_loop(ranges: &[Range<u64>]) -> io::Result<u64> {
        let mut primes = 0;
        for range in ranges {
            primes += count_primes(range.clone());
            yield_now().await;
        }
        Ok(primes)
    }

    async fn on_threads(ranges: &[Range<u64>], cores: usize) -> io::Result<u64> {
        let jobs = ranges.iter().map(|range| {
            let range = range.clone();
            spawn_blocking(|| count_primes(range))
        });
        let mut primes = 0;
        for count in gather_limit(cores, jobs).await {
            primes += count?;
        }
        Ok(primes)
    }

    async fn in_processes(pool: &Pool, ranges: &[Range<u64>]) -> io::Result<u64> {
        let mut primes = 0;
        for count in pool.map(ranges.iter().map(job)).await {
            primes += number(&count?);
        }
        Ok(primes)
    }
}

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    program::main()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("process-pool needs Unix");
}
