//! A pool of worker processes that run jobs of bytes.

use std::cell::{Cell, RefCell};
use std::env;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use super::command::Command;
use super::pool_error::PoolError;
use super::pool_worker::PoolWorker;
use super::worker;
use crate::context;
use crate::order;
use crate::sync::{Event, Semaphore};
use crate::task::gather;

/// A pool of worker processes, which run the own executable: for computations on all cores, and for
/// code that may crash. Python's `ProcessPoolExecutor` and `multiprocessing.Pool`.
///
/// A job and its output are bytes; serde makes such of other types, in any of its formats.
/// [`process::worker`](super::worker()), called first in `main`, defines how a worker runs a job. A
/// worker is started when a job needs one, and serves later jobs. Jobs wait in the order of their
/// calls if all workers are busy. A worker that crashes loses the job that it runs, and no other.
///
/// A clone is another handle of the same pool. Dropping the last one kills the workers. Workers end
/// too when this process dies, after the job that they run.
///
/// ```
/// use evloop::process::{self, Pool};
///
/// fn main() -> std::io::Result<()> {
///     // In a worker this runs the jobs, and does not return.
///     process::worker(|job| {
///         let n = u64::from_le_bytes(job.try_into().unwrap());
///         (1..=n).sum::<u64>().to_le_bytes().into()
///     });
///
///     evloop::block_on(async {
///         let pool = Pool::new(2)?;
///         let sums = pool.map([10_u64, 100, 1000].map(u64::to_le_bytes)).await;
///         let sums: Result<Vec<Vec<u8>>, _> = sums.into_iter().collect();
///         assert_eq!(sums?, [55_u64, 5050, 500_500].map(u64::to_le_bytes));
///         pool.shutdown().await;
///         Ok(())
///     })
/// }
/// ```
#[derive(Clone)]
pub struct Pool(Rc<Shared>);

/// Configures and creates a [`Pool`].
#[must_use = "a builder creates a pool only when `build` is called"]
pub struct PoolBuilder {
    workers_max: usize,
    jobs_max: usize,
    command: Option<Box<dyn Fn() -> Command>>,
}

struct Shared {
    workers_max: usize,
    /// A worker ends after so many jobs.
    jobs_max: usize,
    command: Box<dyn Fn() -> Command>,
    /// A job holds a permit while it has a worker.
    permits: Semaphore,
    idle: RefCell<Vec<PoolWorker>>,
    /// The ids of the workers that run a job.
    busy: RefCell<Vec<u32>>,
    is_closing: Cell<bool>,
    terminated: Event,
}

/// Lists a worker as busy.
struct Busy<'a> {
    shared: &'a Shared,
    id: u32,
}

impl Pool {
    /// Creates a pool of up to `workers` processes of the own executable, at least one.
    ///
    /// # Errors
    ///
    /// As [`PoolBuilder::build`].
    pub fn new(workers: usize) -> io::Result<Pool> {
        Pool::builder().workers(workers).build()
    }

    /// Returns a builder, for a pool with another configuration.
    pub fn builder() -> PoolBuilder {
        PoolBuilder { workers_max: 1, jobs_max: usize::MAX, command: None }
    }

    /// Runs a job in a worker and returns its output. Waits until a worker is free.
    ///
    /// # Errors
    ///
    /// [`PoolError::Panicked`] if the job panicked. [`PoolError::Broken`] if the worker ended
    /// before it answered. [`PoolError::Closed`] after [`shutdown`](Pool::shutdown) or
    /// [`terminate`](Pool::terminate). [`PoolError::Io`] if no worker can be started.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the worker that runs the job: the job stops. A job that waits for
    /// a worker never begins. To let a job finish, spawn a task that awaits it.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "submit")]
    #[doc(alias = "apply")]
    #[doc(alias = "apply_async")]
    pub async fn run(&self, job: impl AsRef<[u8]>) -> Result<Vec<u8>, PoolError> {
        drop(context::expect("process::Pool::run"));
        let shared = &*self.0;
        if shared.is_closing.get() {
            return Err(PoolError::Closed);
        }
        let Ok(_permit) = shared.permits.acquire().await else { return Err(PoolError::Closed) };
        let mut work = pin!(shared.run(job.as_ref()));
        let mut terminated = pin!(shared.terminated.wait());
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Pending => terminated.as_mut().poll(cx).map(|()| Err(PoolError::Closed)),
            ended => ended,
        })
        .await
    }

    /// Runs jobs together, each in a worker. Returns the outcomes in the order of the jobs.
    ///
    /// For outcomes in the order in which the jobs end, spawn the jobs into a
    /// [`JoinSet`](crate::task::JoinSet), with a clone of the pool each.
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Pool::run), for each job.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "starmap")]
    #[doc(alias = "map_async")]
    #[doc(alias = "imap")]
    pub async fn map<J: AsRef<[u8]>>(
        &self,
        jobs: impl IntoIterator<Item = J>,
    ) -> Vec<Result<Vec<u8>, PoolError>> {
        gather(jobs.into_iter().map(|job| self.run(job))).await
    }

    /// Returns the process ids of the workers, in ascending order.
    #[doc(alias = "active_children")]
    pub fn worker_ids(&self) -> Vec<u32> {
        let mut ids = self.0.busy.borrow().clone();
        ids.extend(self.0.idle.borrow().iter().map(PoolWorker::id));
        order::sort(&mut ids, |id| u64::from(*id));
        ids
    }

    /// Accepts no more jobs, waits until the accepted jobs have ended, ends the workers, and waits
    /// until their processes have ended.
    ///
    /// # Cancel safety
    ///
    /// After a drop the pool accepts no jobs. Calling it again continues.
    #[doc(alias = "close")]
    #[doc(alias = "join")]
    pub async fn shutdown(&self) {
        let shared = &*self.0;
        shared.is_closing.set(true);
        // The wait queue is fair: the jobs that wait already come first.
        let Ok(_permits) = shared.permits.acquire_many(shared.workers_max).await else { return };
        let workers = shared.idle.take();
        let children: Vec<_> = workers.into_iter().map(PoolWorker::close).collect();
        for mut child in children {
            // An error: the process was reaped elsewhere.
            let _ = child.wait().await;
        }
        shared.permits.close();
    }

    /// Kills the workers at once. Jobs that run or wait return [`PoolError::Closed`], and so do
    /// later ones.
    #[doc(alias = "terminate_workers")]
    #[doc(alias = "kill_workers")]
    pub fn terminate(&self) {
        self.0.is_closing.set(true);
        self.0.permits.close();
        self.0.terminated.set();
        let idle = self.0.idle.take();
        drop(idle);
    }
}

impl Shared {
    /// Runs a job in an idle worker or a new one. A drop kills the worker.
    async fn run(&self, job: &[u8]) -> Result<Vec<u8>, PoolError> {
        let mut worker = match self.take_idle() {
            Some(worker) => worker,
            None => PoolWorker::start((self.command)()).await?,
        };
        let busy = Busy::new(self, worker.id());
        let outcome = worker.run(job).await;
        drop(busy);
        let is_usable = matches!(outcome, Ok(_) | Err(PoolError::Panicked(_)));
        if is_usable && worker.jobs < self.jobs_max && !self.terminated.is_set() {
            self.idle.borrow_mut().push(worker);
        }
        outcome
    }

    /// Takes an idle worker that has not died meanwhile.
    fn take_idle(&self) -> Option<PoolWorker> {
        loop {
            // Not in the condition of a `while let`, which would hold the borrow during the body.
            let mut worker = self.idle.borrow_mut().pop()?;
            if worker.is_alive() {
                return Some(worker);
            }
        }
    }
}

impl<'a> Busy<'a> {
    fn new(shared: &'a Shared, id: u32) -> Busy<'a> {
        shared.busy.borrow_mut().push(id);
        Busy { shared, id }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.shared.busy.borrow_mut().retain(|id| *id != self.id);
    }
}

impl PoolBuilder {
    /// Sets how many processes run at the same time, at least one. Default: 1.
    #[doc(alias = "max_workers")]
    #[doc(alias = "processes")]
    pub fn workers(mut self, workers: usize) -> PoolBuilder {
        self.workers_max = workers.max(1);
        self
    }

    /// Sets after how many jobs a worker is replaced, at least one: for jobs that leak memory.
    /// Default: never.
    #[doc(alias = "max_tasks_per_child")]
    #[doc(alias = "maxtasksperchild")]
    pub fn jobs_per_worker(mut self, jobs: usize) -> PoolBuilder {
        self.jobs_max = jobs.max(1);
        self
    }

    /// Sets the function that returns the command of a worker: its program, arguments, environment,
    /// stdout and stderr. The program must call [`process::worker`](super::worker()). The pool sets
    /// stdin. Default: the own executable, without arguments.
    ///
    /// Ctrl-C in a terminal ends the workers too, since they are in the same process group:
    /// [`Command::process_group`] gives them their own.
    #[doc(alias = "initializer")]
    pub fn command(mut self, command: impl Fn() -> Command + 'static) -> PoolBuilder {
        self.command = Some(Box::new(command));
        self
    }

    /// Creates the pool. It starts no process yet.
    ///
    /// # Errors
    ///
    /// If the system does not report the path of the own executable. Also in a worker that has not
    /// called [`process::worker`](super::worker()): it would start workers without end.
    pub fn build(self) -> io::Result<Pool> {
        if worker::is_unclaimed_worker() {
            return Err(io::Error::other(
                "a worker process cannot create the pool that it belongs to: call \
                 `evloop::process::worker` first in `main`",
            ));
        }
        let command = match self.command {
            Some(command) => command,
            None => {
                let program = env::current_exe()?;
                Box::new(move || Command::new(&program))
            }
        };
        Ok(Pool(Rc::new(Shared {
            workers_max: self.workers_max,
            jobs_max: self.jobs_max,
            command,
            permits: Semaphore::new(self.workers_max),
            idle: RefCell::default(),
            busy: RefCell::default(),
            is_closing: Cell::new(false),
            terminated: Event::new(),
        })))
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("worker_ids", &self.worker_ids()).finish_non_exhaustive()
    }
}

impl fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder").field("workers", &self.workers_max).finish_non_exhaustive()
    }
}
