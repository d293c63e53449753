//! Work that would block the loop, on a thread of its own for as long as it takes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::blocking::{self, Kind, Work};
use crate::executor::JoinError;

/// Work on a helper thread, to be awaited for its output; made by [`spawn_blocking`].
///
/// Awaiting gives `Ok(output)`, or a [`JoinError`] if the work panicked or never began. Dropping
/// the handle *detaches* the work: it goes on, and its output is dropped on that thread; an output
/// that is there already is dropped with the handle. The handle may be sent to other threads, and
/// awaited on any loop.
///
/// # Cancel safety
///
/// Awaiting `&mut handle` may be given up at any time; the output stays until it is taken.
///
/// # Panics
///
/// Polling it again after it gave the output panics.
#[must_use = "dropping a BlockingHandle detaches the work: await it, or `drop` it to say so"]
pub struct BlockingHandle<T>(Work<T>);

/// Runs `f` on a helper thread of the running loop, which goes on meanwhile: for what computes or
/// waits without `await`.
///
/// Threads are started when there is work for them, up to
/// [`blocking_threads_max`](crate::runtime::Builder::blocking_threads_max) for such work alone;
/// beyond that `f` waits for its turn, first in first out. A thread that had no work for 10 seconds
/// ends.
///
/// When the loop ends, what has not begun never will, and gives a cancelled [`JoinError`]; what has
/// begun goes on, and nobody waits for it but
/// [`Runtime::shutdown_timeout`](crate::Runtime::shutdown_timeout). It may use its wakers and
/// [`Handle`](crate::Handle)s: that is harmless. If no thread can be started at all the error is a
/// cancelled one too, with the system's as its [`source`](std::error::Error::source).
///
/// # Panics
///
/// Outside of a running loop. A panic of `f` comes back in the [`JoinError`].
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
#[doc(alias = "to_thread")]
#[doc(alias = "run_in_executor")]
#[track_caller]
pub fn spawn_blocking<T: Send + 'static>(
    f: impl FnOnce() -> T + Send + 'static,
) -> BlockingHandle<T> {
    BlockingHandle(blocking::start(Kind::User, "spawn_blocking", f))
}

impl<T> BlockingHandle<T> {
    /// Cancels the work if it has not begun: it never will, what it holds is dropped now, and the
    /// handle gives a cancelled [`JoinError`]. Work that has begun goes on: a thread cannot be
    /// stopped from outside.
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

    /// Whether the output, or an error in its place, is there.
    #[doc(alias = "done")]
    pub fn is_finished(&self) -> bool {
        self.0.is_done()
    }
}

impl<T> Future for BlockingHandle<T> {
    type Output = Result<T, JoinError>;

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
