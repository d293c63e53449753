//! Work that would block the loop, run on a thread of the blocking pool.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::blocking::{self, Kind, Work};
use crate::context;
use crate::executor::{JoinError, SpawnOptions};
use crate::runtime::{Handle, Runtime};
use crate::threads::{Pool, is_job_abandoned};

/// The handle of work on the blocking pool, awaited for its output; made by [`spawn_blocking`].
///
/// It returns `Ok(output)`, or a [`JoinError`] if the work panicked or never began. The handle may
/// be sent to other threads and awaited on any loop.
///
/// Dropping the handle *detaches* the work: the work runs on, and its output is dropped on the
/// pool's thread. An output that exists already is dropped with the handle.
///
/// # Cancel safety
///
/// Dropping a future that awaits `&mut handle` loses nothing; the output stays until it is taken.
///
/// # Panics
///
/// Panics if it is polled again after it returned the output.
#[must_use = "dropping a BlockingHandle detaches the work: await it, or `drop` it to say so"]
pub struct BlockingHandle<T>(Work<T>);

/// Runs `f` on a thread of the loop's blocking pool while the loop runs on. Use it for long
/// computations and for calls that block.
///
/// The pool starts a thread when there is work for it, up to
/// [`blocking_threads_max`](crate::runtime::Builder::blocking_threads_max) threads for such work
/// alone. Beyond that, `f` waits in a queue, first in first out. A thread ends after
/// [some time](crate::runtime::Builder::blocking_thread_keep_alive) without work. A
/// [`BlockingPool`](super::BlockingPool) has threads of its own, for work that is slow or that must
/// not run with too much of its kind.
///
/// When the loop ends, work that has not begun never begins, and its handle returns a cancelled
/// [`JoinError`]. Work that has begun runs on, and only
/// [`Runtime::shutdown_timeout`](crate::Runtime::shutdown_timeout) waits for it. It may still use
/// wakers and [`Handle`]s of the loop: that has no effect.
///
/// If no thread can be started, the handle returns a cancelled error with the system's error as its
/// [`source`](std::error::Error::source).
///
/// # Panics
///
/// Panics outside of a running loop. A panic of `f` is returned in the [`JoinError`].
///
/// ```
/// evloop::block_on(async {
///     let work = evloop::task::spawn_blocking(|| {
///         std::thread::sleep(std::time::Duration::from_millis(1));
///         6 * 7
///     });
///     assert_eq!(work.await.unwrap(), 42);
/// });
/// ```
#[track_caller]
pub fn spawn_blocking<T: Send + 'static>(
    f: impl FnOnce() -> T + Send + 'static,
) -> BlockingHandle<T> {
    BlockingHandle(blocking::start(Kind::User, "spawn_blocking", f))
}

/// Returns whether the output of the running blocking work will not be taken: its handle was
/// dropped or aborted, or its loop has ended. Long work may check it now and then, and return
/// early. Returns `false` outside of blocking work.
///
/// ```
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     let (sender, stopped) = std::sync::mpsc::channel();
///     let work = evloop::task::spawn_blocking(move || {
///         while !evloop::task::blocking_is_cancelled() {
///             std::thread::sleep(Duration::from_millis(1));
///         }
///         sender.send("stopped").unwrap();
///     });
///     drop(work);
///     assert_eq!(stopped.recv_timeout(Duration::from_secs(10)), Ok("stopped"));
/// });
/// ```
pub fn blocking_is_cancelled() -> bool {
    is_job_abandoned()
}

impl Handle {
    /// Runs `f` on the blocking pool of the loop, as [`spawn_blocking`] does, from any thread. If
    /// the loop has ended, the handle returns a cancelled [`JoinError`] that says so.
    ///
    /// ```
    /// let mut runtime = evloop::Runtime::new()?;
    /// let work = runtime.handle().spawn_blocking(|| 6 * 7);
    /// assert_eq!(runtime.block_on(work).unwrap(), 42);
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "run_in_executor")]
    #[track_caller]
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> BlockingHandle<T> {
        BlockingHandle::new(self.pool(), f)
    }
}

impl Runtime {
    /// Runs `f` on the blocking pool of the loop, as [`spawn_blocking`] does, also while the loop
    /// does not run.
    #[doc(alias = "run_in_executor")]
    #[track_caller]
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> BlockingHandle<T> {
        BlockingHandle::new(self.handle().pool(), f)
    }
}

impl<T: Send + 'static> BlockingHandle<T> {
    #[track_caller]
    pub(super) fn new(pool: &Pool, f: impl FnOnce() -> T + Send + 'static) -> BlockingHandle<T> {
        BlockingHandle(blocking::start_on(pool, Kind::User, f))
    }
}

impl<T> BlockingHandle<T> {
    /// Cancels the work if it has not begun: the work never begins, `f` is dropped now, and the
    /// handle returns a cancelled [`JoinError`]. Work that has begun runs on: a thread cannot be
    /// stopped from outside. The work can ask [`blocking_is_cancelled`].
    ///
    /// ```
    /// evloop::Runtime::builder().blocking_threads_max(1).build()?.block_on(async {
    ///     let (go, wait) = std::sync::mpsc::channel::<()>();
    ///     let begun = evloop::task::spawn_blocking(move || wait.recv());
    ///     let queued = evloop::task::spawn_blocking(|| unreachable!());
    ///     queued.abort();
    ///     assert!(queued.await.unwrap_err().is_cancelled());
    ///     go.send(()).unwrap();
    ///     begun.await.unwrap().unwrap();
    /// });
    /// # std::io::Result::Ok(())
    /// ```
    pub fn abort(&self) {
        self.0.abort();
    }

    /// Returns whether a thread has begun the work and has not ended it.
    #[doc(alias = "running")]
    pub fn is_running(&self) -> bool {
        self.0.is_running()
    }

    /// Returns whether the output, or an error, can be taken.
    #[doc(alias = "done")]
    pub fn is_finished(&self) -> bool {
        self.0.is_done()
    }
}

impl<T: 'static> BlockingHandle<T> {
    /// Calls `f` with the output when the work has ended, on the thread of the running loop, in a
    /// detached task of its own: [`JoinHandle::on_done`](super::JoinHandle::on_done) for blocking
    /// work.
    ///
    /// # Panics
    ///
    /// Panics outside of a running loop.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let (sender, receiver) = evloop::sync::oneshot::channel();
    ///     let work = evloop::task::spawn_blocking(|| 6 * 7);
    ///     work.on_done(|output| sender.send(output.unwrap()).unwrap());
    ///     assert_eq!(receiver.await, Ok(42));
    /// });
    /// ```
    #[doc(alias = "add_done_callback")]
    #[track_caller]
    pub fn on_done(self, f: impl FnOnce(Result<T, JoinError>) + 'static) {
        let executor = &context::expect("BlockingHandle::on_done").executor;
        drop(executor.spawn(async move { f(self.await) }, SpawnOptions::here()));
    }
}

impl<T> Future for BlockingHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> fmt::Debug for BlockingHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("BlockingHandle");
        debug.field("is_finished", &self.is_finished()).finish_non_exhaustive()
    }
}
