//! tokio's reactor on a thread of its own.
//!
//! Invariant: on the loop's thread, tokio's context is entered only during a call of a function,
//! never across an await: other tasks do not see it, and it is left in order.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use ::tokio::runtime::{Builder, Handle};
use pin_project_lite::pin_project;

use crate::sync::thread_channel::{UnboundedSender, unbounded};
use crate::world;

/// A runtime of tokio on a helper thread, for a program whose loop is not tokio's guest.
///
/// A future that needs tokio runs on the loop by [`run`](Helper::run): its sockets and timers are
/// watched by the helper thread, which wakes the task. It need not be `Send`. What it spawns by
/// `tokio::spawn` runs on the helper thread.
///
/// Each wake comes from another thread, so it costs more than under `tokio::block_on`. The budget
/// of tokio does not limit such a future. If its sockets or channels of tokio are ready again and
/// again, it should call [`yield_now`](crate::task::yield_now) now and then.
///
/// Dropping the helper stops it: its thread drops the tasks of tokio and ends, and the drop does
/// not wait for that. After that the sockets and timers of tokio panic or return errors.
///
/// ```
/// use std::time::Duration;
///
/// let helper = evloop::tokio::Helper::new()?;
/// evloop::block_on(async {
///     let slept = helper.run(async {
///         tokio::time::sleep(Duration::from_millis(2)).await;
///         evloop::spawn(async { "on the loop" }).await.unwrap()
///     });
///     assert_eq!(slept.await, "on the loop");
/// });
/// # std::io::Result::Ok(())
/// ```
pub struct Helper {
    handle: Handle,
    /// The thread ends when this is dropped.
    _running: UnboundedSender<()>,
}

impl Helper {
    /// Starts the helper thread.
    ///
    /// # Errors
    ///
    /// If the operating system has no selector or no thread for it. Kind `Unsupported` in a
    /// simulated world, which has one thread.
    pub fn new() -> io::Result<Helper> {
        world::check_outside("tokio::Helper")?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (running, mut stopped) = unbounded();
        thread::Builder::new().name("evloop-tokio".into()).spawn(move || {
            runtime.block_on(stopped.recv());
            // Its blocking work may go on for ever.
            runtime.shutdown_background();
        })?;
        Ok(Helper { handle, _running: running })
    }

    /// Returns the handle of tokio's runtime, for instance to spawn tasks on the helper thread.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Calls `f` in tokio's context, on this thread: in it, tokio's sockets and timers can be made
    /// and `tokio::spawn` works.
    ///
    /// It takes a function, and returns no guard, so that the context cannot stay entered across an
    /// await.
    ///
    /// ```
    /// let helper = evloop::tokio::Helper::new()?;
    /// let task = helper.enter(|| tokio::spawn(async { 7 }));
    /// assert_eq!(evloop::block_on(task).unwrap(), 7);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn enter<T>(&self, f: impl FnOnce() -> T) -> T {
        let _entered = self.handle.enter();
        f()
    }

    /// Runs a future in tokio's context, in the task that awaits it: the context is entered for
    /// each of its polls, and for its drop.
    ///
    /// A function that makes a socket or a timer when it is called, not when it is first polled,
    /// is called inside: `helper.run(async { tokio::time::sleep(delay).await })`.
    ///
    /// # Cancel safety
    ///
    /// That of `future`, which is dropped with the returned future.
    #[doc(alias = "Compat")]
    pub fn run<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        InContext { handle: self.handle.clone(), future: Some(future) }
    }
}

pin_project! {
    /// A future that is polled and dropped in tokio's context.
    struct InContext<F> {
        handle: Handle,
        // `Some` until it is dropped.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for InContext<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = this.handle.enter();
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.handle.enter();
        this.future.as_pin_mut().expect("a future is polled only before it is dropped").poll(cx)
    }
}

impl fmt::Debug for Helper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Helper").finish_non_exhaustive()
    }
}
