//! The end of a loop, and the blocking work that outlives it.

use std::error::Error;
use std::fmt;
use std::io;
use std::panic::Location;
use std::time::Duration;

use super::event_loop::Runtime;
#[cfg(feature = "inspect")]
use super::inspected;

/// The error of [`Runtime::shutdown_timeout`] and
/// [`BlockingPool::shutdown_timeout`](crate::task::BlockingPool::shutdown_timeout): threads of the
/// blocking pool still run, though the pool has ended.
///
/// The work continues to its end, and its outcome is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StillRunning {
    work: Vec<&'static Location<'static>>,
}

impl Runtime {
    /// Ends the loop, then waits for up to `limit` until the threads of its blocking pool have
    /// ended. Dropping the runtime does not wait. Blocking work that has not begun is dropped.
    ///
    /// # Errors
    ///
    /// [`StillRunning`] if threads are still running after `limit`. It lists where their work was
    /// spawned.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mut runtime = evloop::Runtime::new()?;
    /// let sum = runtime.block_on(async {
    ///     evloop::task::spawn_blocking(|| (1..=100).sum::<u32>()).await.unwrap()
    /// });
    /// assert_eq!(sum, 5050);
    /// runtime.shutdown_timeout(Duration::from_secs(10))?;
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "shutdown_default_executor")]
    #[doc(alias = "shutdown_background")]
    pub fn shutdown_timeout(self, limit: Duration) -> Result<(), StillRunning> {
        let context = self.context.clone();
        drop(self);
        StillRunning::check(context.pool.wait_ended(limit))
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // A panic of a task's destructor propagates, unless this drop is part of another panic.
        let panic = self.context.shutdown();
        #[cfg(feature = "inspect")]
        inspected::end(&self.context);
        if let Some(panic) = panic {
            if !std::thread::panicking() {
                panic.resume();
            }
        }
    }
}

impl StillRunning {
    pub(crate) fn check(work: Vec<&'static Location<'static>>) -> Result<(), StillRunning> {
        if work.is_empty() { Ok(()) } else { Err(StillRunning { work }) }
    }

    /// Returns where the work was spawned, one place for each thread.
    pub fn spawned_at(&self) -> &[&'static Location<'static>] {
        &self.work
    }
}

impl fmt::Display for StillRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.work.len();
        let (threads, run) = if count == 1 { ("thread", "runs") } else { ("threads", "run") };
        write!(f, "{count} blocking {threads} still {run}, with work spawned at ")?;
        for (index, place) in self.work.iter().enumerate() {
            write!(f, "{}{place}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

impl Error for StillRunning {}

impl From<StillRunning> for io::Error {
    fn from(error: StillRunning) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, error)
    }
}
