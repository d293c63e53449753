//! A blocking pool of its own, beside that of the loop.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::spawn_blocking::BlockingHandle;
use crate::runtime::StillRunning;
use crate::threads::{Pool, PoolSettings};

/// Threads for blocking work, apart from the blocking pool of the loop: so that slow work does not
/// delay other work, or to limit how much of one kind of work runs at once.
///
/// It belongs to no loop: any thread may use it, and its handles may be awaited on any loop. Its
/// threads start when there is work for them, and end after a time without work.
///
/// Dropping the pool drops the work that has not begun, and its handles return a cancelled
/// [`JoinError`](super::JoinError). Work that has begun runs on.
///
/// ```
/// use evloop::task::{self, BlockingPool};
///
/// evloop::block_on(async {
///     let images = BlockingPool::new(2);
///     let sizes = task::gather((1..5_u64).map(|n| images.spawn(move || n * n))).await;
///     let sizes: Result<Vec<u64>, _> = sizes.into_iter().collect();
///     assert_eq!(sizes.unwrap(), [1, 4, 9, 16]);
/// });
/// ```
#[must_use = "dropping a pool drops its work that has not begun"]
pub struct BlockingPool(Pool);

/// Configures and creates a [`BlockingPool`].
#[must_use = "a builder creates a pool only when `build` is called"]
pub struct BlockingPoolBuilder(PoolSettings);

impl BlockingPool {
    /// Creates a pool of up to `threads` threads, at least one.
    pub fn new(threads: usize) -> BlockingPool {
        BlockingPool::builder().threads(threads).build()
    }

    /// Returns a builder, for a pool with another configuration.
    pub fn builder() -> BlockingPoolBuilder {
        BlockingPoolBuilder(PoolSettings::new("evloop-pool".into(), "the blocking pool", 1))
    }

    /// Runs `f` on a thread of the pool. If all are busy, `f` waits in a queue, first in first out.
    ///
    /// If no thread can be started, the handle returns a cancelled
    /// [`JoinError`](super::JoinError) with the system's error as its source.
    #[doc(alias = "submit")]
    #[doc(alias = "apply")]
    #[track_caller]
    pub fn spawn<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> BlockingHandle<T> {
        BlockingHandle::new(&self.0, f)
    }

    /// Returns the present number of threads.
    #[doc(alias = "size")]
    pub fn num_threads(&self) -> usize {
        self.0.counts().threads
    }

    /// Returns how much work has not begun.
    #[doc(alias = "task_queue")]
    pub fn num_queued(&self) -> usize {
        self.0.counts().queued
    }

    /// Drops the work that has not begun, then waits for up to `limit` until the threads have
    /// ended. Blocks this thread.
    ///
    /// # Errors
    ///
    /// [`StillRunning`] if threads are still running after `limit`.
    #[doc(alias = "shutdown")]
    #[doc(alias = "join")]
    pub fn shutdown_timeout(self, limit: Duration) -> Result<(), StillRunning> {
        self.0.close();
        StillRunning::check(self.0.wait_ended(limit))
    }
}

impl Drop for BlockingPool {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl BlockingPoolBuilder {
    /// Sets how many threads work at most, at least one. Default: 1.
    #[doc(alias = "max_workers")]
    #[doc(alias = "maxsize")]
    pub fn threads(mut self, threads: usize) -> BlockingPoolBuilder {
        self.0.kind_max = threads.max(1);
        self
    }

    /// Sets the name of the threads. Default: `evloop-pool`.
    ///
    /// # Panics
    ///
    /// If the name contains a NUL byte.
    #[doc(alias = "thread_name_prefix")]
    #[track_caller]
    pub fn thread_name(mut self, name: impl Into<String>) -> BlockingPoolBuilder {
        self.0.set_name(name.into());
        self
    }

    /// Sets the stack size of the threads, in bytes. Default: that of the standard library, 2 MiB.
    pub fn thread_stack_size(mut self, bytes: usize) -> BlockingPoolBuilder {
        self.0.stack_size = Some(bytes);
        self
    }

    /// Sets for how long a thread waits for work before it ends. Default: 10 seconds.
    pub fn thread_keep_alive(mut self, time: Duration) -> BlockingPoolBuilder {
        self.0.keep_alive = time;
        self
    }

    /// Sets a function that each thread calls first.
    #[doc(alias = "initializer")]
    pub fn on_thread_start(mut self, f: impl Fn() + Send + Sync + 'static) -> BlockingPoolBuilder {
        self.0.on_start = Some(Arc::new(f));
        self
    }

    /// Sets a function that each thread calls last.
    pub fn on_thread_stop(mut self, f: impl Fn() + Send + Sync + 'static) -> BlockingPoolBuilder {
        self.0.on_stop = Some(Arc::new(f));
        self
    }

    /// Creates the pool. It starts no thread yet.
    pub fn build(self) -> BlockingPool {
        BlockingPool(Pool::new(self.0))
    }
}

impl fmt::Debug for BlockingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("BlockingPool");
        debug.field("num_threads", &self.num_threads()).field("num_queued", &self.num_queued());
        debug.finish_non_exhaustive()
    }
}

impl fmt::Debug for BlockingPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingPoolBuilder")
            .field("threads", &self.0.kind_max)
            .finish_non_exhaustive()
    }
}
