//! Workers on several hosts share jobs through Redis: its streams with a consumer group.
//!
//! ```sh
//! redis-server --appendonly yes                                        # the broker
//! cargo run --release --example job-worker -- work                     # on each host
//! cargo run --release --example job-worker -- add 1000000 2000000 3000000
//! redis-cli xrange jobs:done - +                                       # the outcomes
//! ```
//!
//! A job is a number; its outcome is the number of primes below it. `REDIS=host:port` names another
//! broker, and `work 5` sets a lease of 5 seconds. A worker prints what it does:
//!
//! ```text
//! worker-1 works
//! began 1764230000000-0
//! done 1764230000000-0
//! ```
//!
//! What each part is for:
//!
//! - A job stays on the broker's list of pending jobs until a worker acknowledges it. A worker that
//!   dies or loses its connection leaves its jobs there. When their lease has ended, other workers
//!   take them over: no job is lost.
//! - A worker renews the leases of its jobs while it works. The loop does that, and a thread of the
//!   blocking pool computes.
//! - A script on the broker acknowledges a job and stores its outcome, both or neither, and only
//!   once. A worker that was stopped for longer than the lease finds that another one has the job.
//!   So a job may run twice, but it has one outcome. A job with an effect elsewhere has to be
//!   repeatable: its id tells a repetition.
//! - A job that three workers did not end is given up, with those that return an error:
//!   `redis-cli xrange jobs:failed - +`.
//! - At Ctrl-C or SIGTERM a worker takes no further jobs, ends its own, and leaves the group. After
//!   an error of its connection it connects again.
//!
//! Redis keeps jobs over a crash of its host only as far as it writes them to the disk:
//! `--appendonly yes --appendfsync always`.

mod jobs;
mod redis;

use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use evloop::sync::{CancellationToken, OwnedSemaphorePermit, Semaphore};
use evloop::task::{TaskTracker, spawn_blocking};
use evloop::time::timeout;

use jobs::{DONE, FAILED, Job, Jobs};

const LEASE: Duration = Duration::from_secs(30);
/// The pause before a worker connects again.
const PAUSE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let addr = std::env::var("REDIS").unwrap_or_else(|_| "127.0.0.1:6379".to_owned());
    let args: Vec<_> = std::env::args().skip(1).collect();
    let ended = match args.split_first().map(|(command, rest)| (command.as_str(), rest)) {
        Some(("add", jobs)) => {
            evloop::block_on(jobs::add(&addr, jobs)).map(|number| println!("added {number} jobs"))
        }
        Some(("work", rest)) => {
            let seconds = rest.first().and_then(|seconds| seconds.parse().ok());
            evloop::block_on(work(&addr, seconds.map_or(LEASE, Duration::from_secs_f64)))
        }
        _ => Err(io::Error::other("usage: job-worker add NUMBER… | work [SECONDS]")),
    };
    if let Err(error) = ended {
        eprintln!("job-worker: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Works until a signal stops it.
async fn work(addr: &str, lease: Duration) -> io::Result<()> {
    let stop = CancellationToken::new();
    let token = stop.clone();
    let signal = evloop::spawn(async move {
        stop_signal().await?;
        token.cancel();
        io::Result::Ok(())
    });
    signal.detach();
    while let Err(error) = work_while_connected(addr, lease, &stop).await {
        eprintln!("job-worker: {error}; connects again");
        if timeout(PAUSE, stop.cancelled()).await.is_ok() {
            break;
        }
    }
    Ok(())
}

async fn work_while_connected(
    addr: &str,
    lease: Duration,
    stop: &CancellationToken,
) -> io::Result<()> {
    let jobs = Jobs::open(addr, lease).await?;
    println!("{} works", jobs.worker);
    let worker = Rc::new(Worker {
        jobs,
        lease,
        slots: Rc::new(Semaphore::new(thread::available_parallelism()?.get())),
        tasks: TaskTracker::new(),
        stop: stop.clone(),
    });
    evloop::try_join!(worker.take_new(), worker.take_over())?;
    worker.tasks.close();
    worker.tasks.wait().await;
    worker.jobs.leave().await
}

struct Worker {
    jobs: Jobs,
    lease: Duration,
    /// A job holds a permit while it runs.
    slots: Rc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Worker {
    /// Starts new jobs. No call is dropped half-way: its reply may be a job.
    async fn take_new(self: &Rc<Self>) -> io::Result<()> {
        loop {
            let slot = self.slots.clone().acquire_owned().await?;
            if self.stop.is_cancelled() {
                return Ok(());
            }
            if let Some(job) = self.jobs.take().await? {
                self.start(job, slot);
            }
        }
    }

    /// Starts the jobs of workers that have died. The semaphore is fair: new jobs do not hold up
    /// these.
    async fn take_over(self: &Rc<Self>) -> io::Result<()> {
        while timeout(self.lease / 2, self.stop.cancelled()).await.is_err() {
            let mut cursor = Some("0-0".to_owned());
            while let Some(at) = cursor.filter(|_| !self.stop.is_cancelled()) {
                let slot = self.slots.clone().acquire_owned().await?;
                let (job, next) = self.jobs.take_over(&at).await?;
                if let Some(job) = job {
                    self.start(job, slot);
                }
                cursor = next;
            }
        }
        Ok(())
    }

    fn start(self: &Rc<Self>, job: Job, slot: OwnedSemaphorePermit) {
        let worker = self.clone();
        let task = self.tasks.spawn(async move {
            let _slot = slot;
            worker.run(&job).await
        });
        // Its error is reported. The job stays pending: its lease ends.
        task.detach();
    }

    async fn run(&self, job: &Job) -> io::Result<()> {
        println!("began {}", job.id);
        let text = job.text.clone();
        let outcome = evloop::select! {
            outcome = spawn_blocking(move || count_primes(&text)) => outcome?,
            kept = self.jobs.keep(job, self.lease / 3) => {
                println!("lost {}", job.id);
                return kept;
            }
        };
        let (to, outcome) = match outcome {
            Ok(primes) => (DONE, primes.to_string()),
            Err(error) => (FAILED, error.to_string()),
        };
        let is_first = self.jobs.settle(job, to, &outcome).await?;
        println!("{} {}", if is_first { "done" } else { "lost" }, job.id);
        Ok(())
    }
}

/// The work of a job.
fn count_primes(text: &str) -> io::Result<usize> {
    let limit: u64 =
        text.parse().map_err(|error| io::Error::other(format!("{text:?}: {error}")))?;
    let is_prime = |n: &u64| (2..).take_while(|d| d * d <= *n).all(|d| n % d != 0);
    Ok((2..limit).filter(is_prime).count())
}

/// Completes at Ctrl-C, or when a service manager stops the program.
#[cfg(unix)]
async fn stop_signal() -> io::Result<()> {
    use evloop::signal::{SignalKind, unix_many};
    unix_many([SignalKind::interrupt(), SignalKind::terminate()])?.recv().await.map(drop)
}

/// Never completes: Ctrl-C ends the process.
#[cfg(not(unix))]
async fn stop_signal() -> io::Result<()> {
    std::future::pending().await
}
