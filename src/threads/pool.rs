//! Helper threads for what would block the loop.
//!
//! A thread starts when there is more work than free threads, and ends after a while without work.
//! It takes work of every [`Kind`]. Each kind has a limit of its own: jobs that hang hold up jobs
//! of their kind only, and the limits together bound the number of threads.
//!
//! A thread is free from the moment its work is done, before anyone can see that it is: who goes on
//! with more work then finds it, no second thread starts, and who ends the loop then does not hear
//! of work left behind. Invariants: jobs are queued only while a thread lives that will come to
//! them; jobs wait only while their kind is at its limit.

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

/// How long a thread without work lives on, for the next burst.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Work for a helper thread. One of the two is called, once.
pub(crate) trait Job: Send + Sync {
    /// Does the work, calls `done`, and then lets others see the outcome. Lets no panic through.
    /// Returns who is to be woken now. Nothing foreign is left in the job then.
    fn run(&self, done: &dyn Fn()) -> WakeList;

    /// It will never run.
    fn give_up(&self);
}

/// What a job is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A question to the system's resolver.
    Name,
    /// An operation on a file. One on a FIFO or a dead network share takes as long as it likes.
    File,
    /// What the user spawned.
    User,
}

const KINDS: usize = 3;

/// The helper threads of one loop.
#[derive(Debug)]
pub(crate) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: String,
    /// Jobs of one kind that threads are at.
    kind_max: usize,
    keep_alive: Duration,
    state: Mutex<State>,
    /// Work came, or the pool closed.
    work: Condvar,
    /// A thread ended.
    ended: Condvar,
}

/// Where work came from.
type Origin = &'static Location<'static>;

/// A job on its way to a thread.
struct Queued {
    kind: Kind,
    job: Arc<dyn Job>,
    origin: Origin,
}

/// The jobs of one kind.
#[derive(Default)]
struct Share {
    /// Those within the limit: threads are at them, or they are in `jobs`.
    admitted: usize,
    /// Those beyond the limit. Each waits for the end of one within it.
    waiting: VecDeque<Queued>,
}

#[derive(Default)]
struct State {
    /// What the next free threads take: within the limits.
    jobs: VecDeque<Queued>,
    shares: [Share; KINDS],
    /// What each thread is at.
    threads: Slab<Option<Origin>>,
    /// Threads that will look at `jobs` before they do anything else.
    free: usize,
    /// Those of them that sleep.
    asleep: usize,
    closed: bool,
}

impl Pool {
    /// Threads will be called `name`; each kind of work has at most `kind_max`, and at least one.
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

    /// Queues a job. One that is still queued when the pool closes is given up.
    ///
    /// # Errors
    ///
    /// If no thread runs and none can be started: the job will never run, and was not given up.
    pub(crate) fn submit(&self, kind: Kind, job: Arc<dyn Job>, origin: Origin) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.closed {
            return Err(io::Error::other("the event loop has ended: it takes no blocking work"));
        }
        let queued = Queued { kind, job, origin };
        let share = &mut state.shares[kind as usize];
        if share.admitted == self.0.kind_max {
            share.waiting.push_back(queued);
            return Ok(());
        }
        share.admitted += 1;
        state.jobs.push_back(queued);
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

    /// Starts a thread, which will come to what is queued.
    fn start(&self, state: &mut State) -> io::Result<()> {
        let place = state.threads.insert(None);
        let shared = self.0.clone();
        let thread = thread::Builder::new().name(shared.name.clone());
        if let Err(error) = thread.spawn(move || shared.run(place)) {
            state.threads.remove(place);
            // The threads that run will come to it.
            if !state.threads.is_empty() {
                return Ok(());
            }
            // The caller has the job too: dropping it here drops nothing foreign.
            if let Some(Queued { kind, .. }) = state.jobs.pop_back() {
                state.end(kind);
            }
            return Err(not_started(error));
        }
        state.free += 1;
        Ok(())
    }

    /// Gives up what is queued, and lets the threads end when they are done. Waits for none. As on
    /// a thread, nobody hears of a panic in foreign code.
    pub(crate) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        let jobs = std::mem::take(&mut state.jobs);
        let waiting = state.shares.each_mut().map(|share| std::mem::take(&mut share.waiting));
        drop(state);
        self.0.work.notify_all();
        for queued in jobs.into_iter().chain(waiting.into_iter().flatten()) {
            let _ = catch(|| queued.job.give_up());
        }
    }

    /// Waits until all threads have ended, up to `limit`. Returns what the others are at.
    pub(crate) fn wait_ended(&self, limit: Duration) -> Vec<Origin> {
        let state = self.0.lock();
        let is_running = |state: &mut State| !state.threads.is_empty();
        let waited = self.0.ended.wait_timeout_while(state, limit, is_running);
        let state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.threads.iter().filter_map(|(_, at)| *at).collect()
    }
}

impl Shared {
    /// The life of the thread that has its entry at `place`.
    fn run(&self, place: usize) {
        let mut state = self.lock();
        loop {
            while let Some(Queued { kind, job, origin }) = state.jobs.pop_front() {
                state.free -= 1;
                state.threads[place] = Some(origin);
                drop(state);
                let waiters = job.run(&|| self.done(place, kind));
                // A panic of a waker ends here: nobody is left to hear of it.
                let _ = catch(|| waiters.wake());
                drop(job);
                state = self.lock();
                state.threads[place] = None;
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
        state.threads.remove(place);
        drop(state);
        self.ended.notify_all();
    }

    /// The work of the thread at `place` is done.
    fn done(&self, place: usize, kind: Kind) {
        let mut state = self.lock();
        state.end(kind);
        state.free += 1;
        state.threads[place] = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A job of this kind has ended: the next that waits may begin.
    fn end(&mut self, kind: Kind) {
        let share = &mut self.shares[kind as usize];
        match share.waiting.pop_front() {
            Some(next) => self.jobs.push_back(next),
            None => share.admitted -= 1,
        }
    }
}

/// What the system says with EAGAIN. Of another kind: who met it must not wait for readiness.
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

        fn give_up(&self) {}
    }

    #[test]
    fn a_thread_without_work_ends_and_another_starts_when_there_is_some() {
        let pool = Pool::with_keep_alive("idle".into(), 4, Duration::from_millis(1));
        for _ in 0..3 {
            pool.submit(Kind::User, Arc::new(Nothing), Location::caller()).unwrap();
            assert!(pool.wait_ended(Duration::from_secs(60)).is_empty());
            let state = pool.0.lock();
            let counts = (state.threads.len(), state.free, state.asleep, state.jobs.len());
            assert_eq!(counts, (0, 0, 0, 0), "without having been closed");
            assert_eq!(state.shares[Kind::User as usize].admitted, 0);
        }
    }
}
