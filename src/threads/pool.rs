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

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::panic::Location;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use slab::Slab;

use super::pool_settings::PoolSettings;
use crate::caught::catch;
use crate::io_error::explain_as;
use crate::wait::WakeList;

/// The numbers of threads and jobs of a pool.
pub(crate) struct PoolCounts {
    pub(crate) threads: usize,
    /// The threads that run a job.
    pub(crate) busy: usize,
    /// The jobs that have not begun.
    pub(crate) queued: usize,
}

/// A job that runs, and its pool.
#[derive(Clone)]
struct Running(Arc<dyn Job>, Arc<Shared>);

thread_local! {
    /// The job that this thread of a pool runs.
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
}

/// Work for a thread of the pool. Exactly one of the two methods is called, once.
pub(crate) trait Job: Send + Sync {
    /// Does the work, calls `done`, and then publishes the outcome. Must not panic. Returns the
    /// wakers of the waiting tasks. After it, the job holds no values of user code.
    fn run(&self, done: &dyn Fn()) -> WakeList;

    /// Cancels the job: it will never run, because `owner` has ended.
    fn cancel_unstarted(&self, owner: &str);

    /// Returns whether no task will take the outcome of the running job.
    fn is_abandoned(&self) -> bool;
}

/// Returns whether the job that runs on this thread is abandoned, or its pool is closed. `false` on
/// a thread that runs no job.
pub(crate) fn is_job_abandoned() -> bool {
    // Cloned, so that nothing is borrowed or locked twice. An error: the thread is ending.
    let running = RUNNING.try_with(|running| running.borrow().clone()).ok().flatten();
    running.is_some_and(|Running(job, pool)| job.is_abandoned() || pool.lock().closed)
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

/// A pool: of one loop, or one that user code made. A clone is the same pool.
#[derive(Clone, Debug)]
pub(crate) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: PoolSettings,
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
    /// The number of threads that take no more jobs.
    ending: usize,
    closed: bool,
}

impl Pool {
    pub(crate) fn new(settings: PoolSettings) -> Pool {
        Pool(Arc::new(Shared {
            settings,
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
            let sentence =
                format!("{} has ended: it takes no blocking work", self.settings().owner);
            return Err(io::Error::other(sentence));
        }
        let queued = Queued { kind, job, origin };
        let kind_state = &mut state.kinds[kind as usize];
        if kind_state.admitted == self.settings().kind_max {
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
        let mut thread = Builder::new().name(self.settings().name.clone());
        if let Some(size) = self.settings().stack_size {
            thread = thread.stack_size(size);
        }
        if let Err(error) = start_thread(thread, Box::new(move || shared.run(key))) {
            state.threads.remove(key);
            // The other threads will take the job.
            if state.threads.len() > state.ending {
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
        let State { jobs, kinds, .. } = &mut *state;
        let mut queued = std::mem::take(jobs);
        for kind in kinds {
            queued.append(&mut kind.waiting);
        }
        drop(state);
        self.0.work.notify_all();
        for queued in queued {
            let _ = catch(|| queued.job.cancel_unstarted(self.settings().owner));
        }
    }

    /// Waits until all threads have ended, up to `limit`. Returns the origins of the jobs that
    /// still run.
    pub(crate) fn wait_ended(&self, limit: Duration) -> Vec<Origin> {
        let state = self.0.lock();
        let is_running = |state: &mut State| !state.threads.is_empty();
        let waited = self.0.ended.wait_timeout_while(state, limit, is_running);
        let state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let mut origins = Vec::new();
        for (_, origin) in &state.threads {
            origins.extend(*origin);
        }
        origins
    }

    /// Returns the present numbers of threads and jobs.
    pub(crate) fn counts(&self) -> PoolCounts {
        let state = self.0.lock();
        let waiting = state.kinds.iter().map(|kind| kind.waiting.len()).sum::<usize>();
        PoolCounts {
            threads: state.threads.len(),
            busy: state.threads.iter().filter(|(_, origin)| origin.is_some()).count(),
            queued: state.jobs.len() + waiting,
        }
    }

    pub(crate) fn settings(&self) -> &PoolSettings {
        &self.0.settings
    }
}

impl Shared {
    /// The main function of the thread with the entry `key`.
    fn run(self: &Arc<Self>, key: usize) {
        self.settings.call_on_start();
        let mut state = self.lock();
        loop {
            while let Some(Queued { kind, job, origin }) = state.jobs.pop_front() {
                state.free -= 1;
                state.threads[key] = Some(origin);
                drop(state);
                RUNNING.set(Some(Running(job.clone(), self.clone())));
                let waiters = job.run(&|| self.done(key, kind));
                RUNNING.set(None);
                // A panic of a waker has no caller to propagate to; the panic hook reported it.
                let _ = catch(|| waiters.wake());
                drop(job);
                state = self.lock();
                state.threads[key] = None;
            }
            state.asleep += 1;
            let is_idle = |state: &mut State| state.jobs.is_empty() && !state.closed;
            let waited = self.work.wait_timeout_while(state, self.settings.keep_alive, is_idle);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.asleep -= 1;
            if state.jobs.is_empty() {
                break;
            }
        }
        state.free -= 1;
        state.ending += 1;
        drop(state);
        self.settings.call_on_stop();
        let mut state = self.lock();
        state.ending -= 1;
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

/// Starts a thread that nothing joins. The threads of the crate share this one instance of std's
/// generic function.
pub(crate) fn start_thread(thread: Builder, run: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    thread.spawn(run).map(drop)
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

        fn cancel_unstarted(&self, _owner: &str) {}

        fn is_abandoned(&self) -> bool {
            false
        }
    }

    #[test]
    fn an_idle_thread_ends_and_the_next_job_starts_another() {
        let settings = PoolSettings::new("idle".into(), "the test", 4);
        let pool = Pool::new(PoolSettings { keep_alive: Duration::from_millis(1), ..settings });
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
