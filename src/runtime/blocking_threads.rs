//! The settings of the threads of a loop's blocking pool.

use std::sync::Arc;
use std::time::Duration;

use super::builder::Builder;

impl Builder {
    /// Sets the stack size of the threads of the blocking pool, in bytes. Default: that of the
    /// standard library, 2 MiB.
    #[doc(alias = "thread_stack_size")]
    #[doc(alias = "stack_size")]
    pub fn blocking_thread_stack_size(mut self, bytes: usize) -> Builder {
        self.parts.pool.stack_size = Some(bytes);
        self
    }

    /// Sets for how long a thread of the blocking pool waits for work before it ends. Default: 10
    /// seconds.
    #[doc(alias = "thread_keep_alive")]
    pub fn blocking_thread_keep_alive(mut self, time: Duration) -> Builder {
        self.parts.pool.keep_alive = time;
        self
    }

    /// Sets a function that each thread of the blocking pool calls first. The threads work on names
    /// and files too, not only on [`spawn_blocking`](crate::task::spawn_blocking). If it panics,
    /// the panic hook reports that, and the thread continues.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// static STARTED: AtomicUsize = AtomicUsize::new(0);
    ///
    /// let builder = evloop::Runtime::builder()
    ///     .blocking_threads_max(1)
    ///     .on_blocking_thread_start(|| _ = STARTED.fetch_add(1, Ordering::Relaxed));
    /// builder.build()?.block_on(async {
    ///     for _ in 0..3 {
    ///         evloop::task::spawn_blocking(|| ()).await.unwrap();
    ///     }
    /// });
    /// assert_eq!(STARTED.load(Ordering::Relaxed), 1);
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "on_thread_start")]
    #[doc(alias = "initializer")]
    pub fn on_blocking_thread_start(mut self, f: impl Fn() + Send + Sync + 'static) -> Builder {
        self.parts.pool.on_start = Some(Arc::new(f));
        self
    }

    /// Sets a function that each thread of the blocking pool calls last.
    /// [`Runtime::shutdown_timeout`](crate::Runtime::shutdown_timeout) waits for it.
    #[doc(alias = "on_thread_stop")]
    pub fn on_blocking_thread_stop(mut self, f: impl Fn() + Send + Sync + 'static) -> Builder {
        self.parts.pool.on_stop = Some(Arc::new(f));
        self
    }
}
