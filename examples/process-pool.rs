//! Counts prime numbers on all cores, in worker processes: a job is a range, its answer a count.
//!
//! cargo run --release --example process-pool [LIMIT]
//!
//! The workers run this program too. A job that crashes or is cancelled ends its worker, not the
//! program.

#[cfg(unix)]
mod program {
    use std::env;
    use std::io;
    use std::thread;
    use std::time::Duration;

    use evloop::process::{self, Pool};
    use evloop::time::{now, timeout};

    /// The number of candidates in one job.
    const STEP: u64 = 100_000;
    const DEFAULT_LIMIT: u64 = 2_000_000;

    /// Returns the job of a range, as bytes.
    fn job(begin: u64, end: u64) -> Vec<u8> {
        [begin.to_le_bytes(), end.to_le_bytes()].concat()
    }

    /// Runs in a worker.
    fn count_primes(job: &[u8]) -> u64 {
        let number = |at: usize| u64::from_le_bytes(job[at..at + 8].try_into().unwrap());
        let is_prime = |n: &u64| {
            *n > 1 && (2..).take_while(|divisor| divisor * divisor <= *n).all(|d| n % d != 0)
        };
        (number(0)..number(8)).filter(is_prime).count() as u64
    }

    pub(crate) fn main() -> io::Result<()> {
        process::worker(|job| count_primes(&job).to_le_bytes().into());

        let limit = env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(DEFAULT_LIMIT);
        let workers = thread::available_parallelism()?.get();
        evloop::block_on(async {
            let (pool, begin) = (Pool::new(workers)?, now());
            let begins = (0..limit).step_by(STEP as usize);
            let jobs = begins.map(|begin| job(begin, limit.min(begin + STEP)));
            let mut primes = 0;
            for count in pool.map(jobs).await {
                let count =
                    count?.try_into().map_err(|_| io::Error::other("a count has 8 bytes"))?;
                primes += u64::from_le_bytes(count);
            }
            println!(
                "{primes} primes below {limit}, in {:?} by {workers} workers",
                begin.elapsed()
            );

            // A job that takes too long is cancelled: its worker is killed.
            let long = timeout(Duration::from_millis(50), pool.run(job(1 << 50, u64::MAX))).await;
            println!("a job without end: {}", long.map(drop).unwrap_err());
            pool.shutdown().await;
            Ok(())
        })
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
