//! The blocking pool: threads for work that would block the loop.
//!
//! A thread starts when there are more jobs than free threads, and ends after a time without work.
//! It runs jobs of every [`Kind`]. Each kind has its own limit: jobs that hang delay only jobs of
//! their kind, and the limits together bound the number of threads.
//!
//! A thread counts as free before the outcome of its job becomes visible. So a task that sees the
//! outcome and submits the next job reuses the thread; and a task that sees the outcome and ends
//! the loop finds no unfinished job. Invariants: a job is queued only while a thread lives that
//! will take it; a job waits only while its kind is at the limit.

use std::collections::VecDeque;
use std::io;
use std::panic::Location;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use slab::Slab;

use crate::caught::catch;
use crate::io_error::explain_as;
use crate::wait::WakeList;

/// The time for which a thread without work waits for the next job.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Work for a thread of the pool. Exactly one of the two methods is called, once.
pub(crate) trait Job: Send + Sync {
    /// Does the work, calls `done`, and then publishes the outcome. Must not panic. Returns the
    /// wakers of the waiting tasks. After it, the job holds no values of user code.
    fn run(&self, done: &dyn Fn()) -> WakeList;

    /// Cancels the job: it will never run.
    fn cancel_unstarted(&self);
}

/// The kind of a job.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A query of the system's resolver.
    Name,
    /// An operation on a file. On a FIFO or a dead network file system it may take forever.
    File,
    /// Work that user code spawned.
    User,
}

const KINDS: usize = 3;

/// The blocking pool of one loop.
#[derive(Debug)]
pub(crate) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: String,
    /// The maximum number of running jobs of one kind.
    kind_max: usize,
    keep_alive: Duration,
    state: Mutex<State>,
    /// Notified when a job is queued or the pool closes.
    work: Condvar,
    /// Notified when a thread ends.
    ended: Condvar,
}

/// The line of code that submitted a job.
type Origin = &'static Location<'static>;

/// A job on its way to a thread.
struct Queued {
    kind: Kind,
    job: Arc<dyn Job>,
    origin: Origin,
}

/// The jobs of one kind.
#[derive(Default)]
struct KindState {
    /// The number of jobs within the limit: running, or in `jobs`.
    admitted: usize,
    /// The jobs beyond the limit. Each waits until a job within the limit ends.
    waiting: VecDeque<Queued>,
}

#[derive(Default)]
struct State {
    /// The admitted jobs that wait for a thread.
    jobs: VecDeque<Queued>,
    kinds: [KindState; KINDS],
    /// The origin of the job that each thread runs.
    threads: Slab<Option<Origin>>,
    /// The number of threads that will check `jobs` next.
    free: usize,
    /// The number of free threads that wait on `work`.
    asleep: usize,
    closed: bool,
}

impl Pool {
    /// Makes a pool whose threads are named `name`. Each kind runs up to `kind_max` jobs, at least
    /// one.
    pub(crate) fn new(name: String, kind_max: usize) -> Pool {
        Pool::with_keep_alive(name, kind_max, KEEP_ALIVE)
    }

    fn with_keep_alive(name: String, kind_max: usize, keep_alive: Duration) -> Pool {
        Pool(Arc::new(Shared {
            name,
            kind_max: kind_max.max(1),
            keep_alive,
            state: Mutex::default(),
            work: Condvar::new(),
            ended: Condvar::new(),
        }))
    }

    /// Queues a job. A job that is still queued when the pool closes is cancelled.
    ///
    /// # Errors
    ///
    /// If the pool is closed, or if no thread runs and none can be started. The job will not run,
    /// and was not cancelled.
    pub(crate) fn submit(&self, kind: Kind, job: Arc<dyn Job>, origin: Origin) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.closed {
            return Err(io::Error::other("the event loop has ended: it takes no blocking work"));
        }
        let queued = Queued { kind, job, origin };
        let kind_state = &mut state.kinds[kind as usize];
        if kind_state.admitted == self.0.kind_max {
            kind_state.waiting.push_back(queued);
            return Ok(());
        }
        kind_state.admitted += 1;
        state.jobs.push_back(queued);
        // Each free thread takes one of the queued jobs.
        if state.jobs.len() > state.free {
            return self.start(&mut state);
        }
        let is_asleep = state.asleep > 0;
        drop(state);
        if is_asleep {
            self.0.work.notify_one();
        }
        Ok(())
    }

    /// Starts a thread, which will take the queued jobs.
    fn start(&self, state: &mut State) -> io::Result<()> {
        let key = state.threads.insert(None);
        let shared = self.0.clone();
        let thread = thread::Builder::new().name(shared.name.clone());
        if let Err(error) = thread.spawn(move || shared.run(key)) {
            state.threads.remove(key);
            // The running threads will take the job.
            if !state.threads.is_empty() {
                return Ok(());
            }
            // The caller holds the job too, so this drop runs no user code under the lock.
            if let Some(Queued { kind, .. }) = state.jobs.pop_back() {
                state.end(kind);
            }
            return Err(not_started(error));
        }
        state.free += 1;
        Ok(())
    }

    /// Cancels the queued jobs, and makes the threads end after their jobs, without waiting for
    /// them. A panic of user code is reported by the panic hook only, as on a thread of the pool.
    pub(crate) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        let jobs = std::mem::take(&mut state.jobs);
        let waiting = state.kinds.each_mut().map(|kind| std::mem::take(&mut kind.waiting));
        drop(state);
        self.0.work.notify_all();
        for queued in jobs.into_iter().chain(waiting.into_iter().flatten()) {
            let _ = catch(|| queued.job.cancel_unstarted());
        }
    }

    /// Waits until all threads have ended, up to `limit`. Returns the origins of the jobs that
    /// still run.
    pub(crate) fn wait_ended(&self, limit: Duration) -> Vec<Origin> {
        let state = self.0.lock();
        let is_running = |state: &mut State| !state.threads.is_empty();
        let waited = self.0.ended.wait_timeout_while(state, limit, is_running);
        let state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.threads.iter().filter_map(|(_, at)| *at).collect()
    }
}

impl Shared {
    /// The main function of the thread with the entry `key`.
    fn run(&self, key: usize) {
        let mut state = self.lock();
        loop {
            while let Some(Queued { kind, job, origin }) = state.jobs.pop_front() {
                state.free -= 1;
                state.threads[key] = Some(origin);
                drop(state);
                let waiters = job.run(&|| self.done(key, kind));
                // A panic of a waker has no caller to propagate to; the panic hook reported it.
                let _ = catch(|| waiters.wake());
                drop(job);
                state = self.lock();
                state.threads[key] = None;
            }
            state.asleep += 1;
            let is_idle = |state: &mut State| state.jobs.is_empty() && !state.closed;
            let waited = self.work.wait_timeout_while(state, self.keep_alive, is_idle);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.asleep -= 1;
            if state.jobs.is_empty() {
                break;
            }
        }
        state.free -= 1;
        state.threads.remove(key);
        drop(state);
        self.ended.notify_all();
    }

    /// Marks the thread `key` as free: its job has ended.
    fn done(&self, key: usize, kind: Kind) {
        let mut state = self.lock();
        state.end(kind);
        state.free += 1;
        state.threads[key] = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ends a job of this kind: admits the next waiting one.
    fn end(&mut self, kind: Kind) {
        let kind_state = &mut self.kinds[kind as usize];
        match kind_state.waiting.pop_front() {
            Some(next) => self.jobs.push_back(next),
            None => kind_state.admitted -= 1,
        }
    }
}

/// Explains the EAGAIN of a thread's start. The kind is not `WouldBlock`, since the caller would
/// wait for readiness.
fn not_started(error: io::Error) -> io::Error {
    let sentence = format!(
        "no thread could be started for blocking work: {error} (raise the limit of threads or of \
         memory)"
    );
    explain_as(io::ErrorKind::ResourceBusy, error, sentence)
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("State");
        debug.field("threads", &self.threads.len()).field("free", &self.free);
        debug.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Job for Nothing {
        fn run(&self, done: &dyn Fn()) -> WakeList {
            done();
            WakeList::default()
        }

        fn cancel_unstarted(&self) {}
    }

    #[test]
    fn an_idle_thread_ends_and_the_next_job_starts_another() {
        let pool = Pool::with_keep_alive("idle".into(), 4, Duration::from_millis(1));
        for _ in 0..3 {
            pool.submit(Kind::User, Arc::new(Nothing), Location::caller()).unwrap();
            assert!(pool.wait_ended(Duration::from_secs(60)).is_empty());
            let state = pool.0.lock();
            let counts = (state.threads.len(), state.free, state.asleep, state.jobs.len());
            assert_eq!(counts, (0, 0, 0, 0), "the pool was not closed");
            assert_eq!(state.kinds[Kind::User as usize].admitted, 0);
        }
    }
}
