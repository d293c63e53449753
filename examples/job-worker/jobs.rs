//! The jobs: a stream of Redis with one consumer group. Each worker is a consumer.
//!
//! An entry of the stream is a job. The pending list has the jobs that workers have taken: which
//! worker, how long ago, how often. A job leaves the list when it is acknowledged.

use std::io;
use std::time::Duration;

use evloop::task::try_gather;
use evloop::time::sleep;

use crate::redis::{Redis, Value};

const JOBS: &str = "jobs";
const GROUP: &str = "workers";
/// The outcomes of the jobs that have ended, and of those that are given up.
pub(crate) const DONE: &str = "jobs:done";
pub(crate) const FAILED: &str = "jobs:failed";

/// A job that this many workers did not end is given up: it may be what kills them.
const DELIVERIES_MAX: i64 = 3;
/// How long a worker waits for a new job in one call, in milliseconds.
const WAIT: &str = "1000";

/// Acknowledges a job and stores its outcome, both or neither. Returns 0 if that was done before.
const SETTLE: &str = "
    if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
    redis.call('XADD', KEYS[2], '*', 'id', ARGV[2], 'worker', ARGV[3], 'outcome', ARGV[4])
    redis.call('XDEL', KEYS[1], ARGV[2])
    return 1";

/// Claims a job again for its worker, which restarts the lease. Returns 0 if another one has it.
const KEEP: &str = "
    local mine = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1, ARGV[3])
    if #mine == 0 then return 0 end
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, ARGV[2], 'JUSTID')
    return 1";

/// Removes a worker without jobs. With its pending list XGROUP DELCONSUMER would lose jobs.
const LEAVE: &str = "
    local mine = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])
    if #mine > 0 then return 0 end
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
    return 1";

pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) text: String,
}

pub(crate) struct Jobs {
    redis: Redis,
    /// Waits for new jobs. A command behind one that waits would wait too.
    news: Redis,
    /// The name of this worker, which no other one has.
    pub(crate) worker: String,
    /// A worker that has not called `keep` for so long has lost its job.
    lease: String,
}

impl Jobs {
    pub(crate) async fn open(addr: &str, lease: Duration) -> io::Result<Jobs> {
        let (redis, news) = (Redis::connect(addr).await?, Redis::connect(addr).await?);
        // From 0: the group gets the jobs that were added before it existed, too.
        match redis.call(&["XGROUP", "CREATE", JOBS, GROUP, "0", "MKSTREAM"]).await {
            Err(error) if error.to_string().starts_with("BUSYGROUP") => {}
            created => drop(created?),
        }
        let number = redis.call(&["INCR", "jobs:workers"]).await?.integer().unwrap_or(0);
        let (worker, lease) = (format!("worker-{number}"), lease.as_millis().to_string());
        Ok(Jobs { redis, news, worker, lease })
    }

    /// Takes a new job. Returns `None` if there is none for a while.
    pub(crate) async fn take(&self) -> io::Result<Option<Job>> {
        let group = ["XREADGROUP", "GROUP", GROUP, &self.worker, "COUNT", "1", "BLOCK", WAIT];
        let reply = self.news.call(&[&group[..], &["STREAMS", JOBS, ">"]].concat()).await?;
        Ok(reply.at(0).and_then(|stream| job(stream.at(1)?.at(0)?)))
    }

    /// Takes a job whose lease has ended, at `cursor` or behind it. Returns it and the next cursor,
    /// or `None` after the last one.
    pub(crate) async fn take_over(
        &self,
        cursor: &str,
    ) -> io::Result<(Option<Job>, Option<String>)> {
        let claim = ["XAUTOCLAIM", JOBS, GROUP, &self.worker, &self.lease, cursor, "COUNT", "1"];
        let reply = self.redis.call(&claim).await?;
        let next = reply.at(0).and_then(Value::text).filter(|next| *next != "0-0");
        let taken = match reply.at(1).and_then(|jobs| job(jobs.at(0)?)) {
            Some(job) if self.give_up(&job).await? => None,
            taken => taken,
        };
        Ok((taken, next.map(str::to_owned)))
    }

    /// Moves a job that was delivered too often to the failed ones. Returns whether it was.
    async fn give_up(&self, job: &Job) -> io::Result<bool> {
        let pending = self.redis.call(&["XPENDING", JOBS, GROUP, &job.id, &job.id, "1"]).await?;
        let deliveries = pending.at(0).and_then(|job| job.at(3)?.integer());
        if deliveries.is_none_or(|deliveries| deliveries <= DELIVERIES_MAX) {
            return Ok(false);
        }
        let outcome = format!("{DELIVERIES_MAX} workers did not end it");
        self.settle(job, FAILED, &outcome).await
    }

    /// Returns when another worker has the job: this one was stopped for longer than the lease.
    pub(crate) async fn keep(&self, job: &Job, every: Duration) -> io::Result<()> {
        loop {
            sleep(every).await;
            let keep = ["EVAL", KEEP, "1", JOBS, GROUP, &job.id, &self.worker];
            if self.redis.call(&keep).await?.integer() == Some(0) {
                return Ok(());
            }
        }
    }

    /// Acknowledges a job and adds its outcome to a stream. Returns whether this did it: otherwise
    /// another worker did before, and nothing is changed.
    pub(crate) async fn settle(&self, job: &Job, to: &str, outcome: &str) -> io::Result<bool> {
        let settle = ["EVAL", SETTLE, "2", JOBS, to, GROUP, &job.id, &self.worker, outcome];
        Ok(self.redis.call(&settle).await?.integer() == Some(1))
    }

    /// Removes this worker from the group, unless a job of it is pending: then others take that
    /// over first.
    pub(crate) async fn leave(&self) -> io::Result<()> {
        self.redis.call(&["EVAL", LEAVE, "1", JOBS, GROUP, &self.worker]).await.map(drop)
    }
}

/// Adds jobs and returns their number. After an error, those without an answer may have been added
/// or not.
pub(crate) async fn add(addr: &str, jobs: &[String]) -> io::Result<usize> {
    let redis = &Redis::connect(addr).await?;
    let added = jobs.iter().map(|job| async { redis.call(&["XADD", JOBS, "*", "job", job]).await });
    Ok(try_gather(added).await?.len())
}

/// Returns the job of an entry: its id, and a list of fields and values.
fn job(entry: &Value) -> Option<Job> {
    let (id, text) = (entry.at(0)?.text()?, entry.at(1)?.at(1)?.text()?);
    Some(Job { id: id.to_owned(), text: text.to_owned() })
}
