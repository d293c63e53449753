//! L0: helper threads for what would block the loop.
//!
//! Threads start when there is more work than idle threads, up to a limit, and end after a while
//! without work. Invariant: jobs are queued only while a thread lives that will come to them.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Work for a helper thread.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// How long a thread without work lives on, for the next burst.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The helper threads of one loop.
#[derive(Debug)]
pub(crate) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: String,
    threads_max: usize,
    state: Mutex<State>,
    /// Work came, or the pool closed.
    work: Condvar,
    /// A thread ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl Pool {
    /// Threads will be called `name`; at least one is allowed.
    pub(crate) fn new(name: String, threads_max: usize) -> Pool {
        Pool(Arc::new(Shared {
            name,
            threads_max: threads_max.max(1),
            state: Mutex::default(),
            work: Condvar::new(),
            ended: Condvar::new(),
        }))
    }

    /// Queues a job. One that is still queued when the pool closes is dropped.
    ///
    /// # Errors
    ///
    /// If no thread runs and none can be started.
    pub(crate) fn submit(&self, job: Job) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.closed {
            drop(state);
            return Err(io::Error::other("the event loop has ended: it takes no blocking work"));
        }
        state.jobs.push_back(job);
        if state.jobs.len() <= state.idle || state.threads == self.0.threads_max {
            drop(state);
            self.0.work.notify_one();
            return Ok(());
        }
        let shared = self.0.clone();
        let thread = thread::Builder::new().name(shared.name.clone());
        match thread.spawn(move || shared.run()) {
            Ok(_) => state.threads += 1,
            Err(error) if state.threads == 0 => {
                let job = state.jobs.pop_back();
                drop(state);
                drop(job);
                return Err(error);
            }
            // The threads that run will come to it.
            Err(_) => {}
        }
        Ok(())
    }

    /// Drops what is queued, and lets the threads end when they are done. Waits for none.
    pub(crate) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        self.0.work.notify_all();
        drop(jobs);
    }

    /// Waits until all threads have ended, up to `limit`. Returns whether they have.
    pub(crate) fn wait_ended(&self, limit: Duration) -> bool {
        let state = self.0.lock();
        let waited = self.0.ended.wait_timeout_while(state, limit, |state| state.threads > 0);
        waited.unwrap_or_else(PoisonError::into_inner).0.threads == 0
    }
}

impl Shared {
    /// The life of a thread.
    fn run(&self) {
        let mut state = self.lock();
        loop {
            while let Some(job) = state.jobs.pop_front() {
                drop(state);
                // Jobs catch what they run and report it; here only a destructor can panic.
                let _ = catch_unwind(AssertUnwindSafe(job));
                state = self.lock();
            }
            state.idle += 1;
            let is_idle = |state: &mut State| state.jobs.is_empty() && !state.closed;
            let waited = self.work.wait_timeout_while(state, KEEP_ALIVE, is_idle);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.idle -= 1;
            if state.jobs.is_empty() {
                break;
            }
        }
        state.threads -= 1;
        drop(state);
        self.ended.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("State");
        debug.field("threads", &self.threads).field("idle", &self.idle).finish_non_exhaustive()
    }
}
