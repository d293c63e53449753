//! A main future that Ctrl-C ends: what asyncio's Runner does.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use signal_hook::consts::SIGINT;
use signal_hook::{SigId, flag, low_level};

use super::disposition::{self, Disposition};
use super::kind::SignalKind;
use super::listener::Listener;
use crate::runtime::Runtime;

/// Ctrl-C came, and the future was dropped; see [`Runtime::block_on_or_cancel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "KeyboardInterrupt")]
pub struct Interrupted(());

/// On Unix, with the feature `signal`.
impl Runtime {
    /// Runs `future` to its end, or until Ctrl-C (SIGINT), as asyncio's `Runner` does.
    ///
    /// The first Ctrl-C drops the future, wherever it waits, so that destructors run; other tasks
    /// stay, and are dropped with the runtime. If the future completes in the same poll, its output
    /// counts. The second Ctrl-C ends the process, also if the first was never looked at since the
    /// loop is stuck in a task, or in a destructor.
    ///
    /// In a process that ignores SIGINT, such as a shell's background job, Ctrl-C stays ignored, as
    /// with asyncio's `Runner`. Only Linux reports that a signal is ignored.
    ///
    /// # Errors
    ///
    /// [`Interrupted`] if Ctrl-C came.
    ///
    /// # Panics
    ///
    /// If a loop is running on this thread already, the selector fails, or no descriptor is left
    /// for listening. A panic of the future goes through; the loop can be used further.
    ///
    /// ```
    /// use evloop::signal::Interrupted;
    /// use rustix::process::{Signal, getpid, kill_process};
    ///
    /// let mut runtime = evloop::Runtime::new()?;
    /// assert_eq!(runtime.block_on_or_cancel(async { 7 }), Ok(7));
    ///
    /// let cancelled: Result<(), Interrupted> = runtime.block_on_or_cancel(async {
    ///     // As a terminal does for Ctrl-C.
    ///     kill_process(getpid(), Signal::INT).unwrap();
    ///     std::future::pending().await
    /// });
    /// assert!(cancelled.is_err());
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "Runner")]
    #[doc(alias = "KeyboardInterrupt")]
    #[track_caller]
    pub fn block_on_or_cancel<F: Future>(&mut self, future: F) -> Result<F::Output, Interrupted> {
        self.block_on(async {
            let listening = Interrupt::new();
            let listening =
                listening.unwrap_or_else(|error| panic!("Ctrl-C cannot be listened to: {error}"));
            let Some(mut interrupt) = listening else { return Ok(future.await) };
            // Dropped first, while a second Ctrl-C kills.
            let mut future = pin!(future);
            poll_fn(|cx| {
                if let Poll::Ready(output) = future.as_mut().poll(cx) {
                    return Poll::Ready(Ok(output));
                }
                // The listener brings the wake. What counts is the flag too: a future that spends
                // each poll's budget leaves the listener none.
                let is_told = interrupt.listener.poll_recv(cx).is_ready();
                match is_told || interrupt.second.has_come.load(Ordering::SeqCst) {
                    true => Poll::Ready(Err(Interrupted(()))),
                    false => Poll::Pending,
                }
            })
            .await
        })
    }
}

/// Listens for the first Ctrl-C, and lets the second kill.
struct Interrupt {
    /// Dropped first: from then on the default kills.
    listener: Listener,
    second: Second,
}

/// The second Ctrl-C kills, as long as this lives.
struct Second {
    /// Set by the handler itself, since the loop may be stuck.
    has_come: Arc<AtomicBool>,
    handlers: [SigId; 2],
}

impl Interrupt {
    /// `None` if the process ignores Ctrl-C.
    fn new() -> io::Result<Option<Interrupt>> {
        if disposition::prepare(SIGINT)? == Disposition::Ignored {
            return Ok(None);
        }
        // Before the listener, so that the loop wakes when the handler is done with the flag.
        let second = Second::new()?;
        let listener = super::listener::unix(SignalKind::interrupt())?;
        Ok(Some(Interrupt { listener, second }))
    }
}

impl Second {
    fn new() -> io::Result<Second> {
        let has_come = Arc::new(AtomicBool::new(false));
        // In this order, so that the signal that sets the flag does not find it set.
        let kill = disposition::restore_if(SIGINT, has_come.clone())?;
        let note = flag::register(SIGINT, has_come.clone())
            .inspect_err(|_| _ = low_level::unregister(kill))?;
        Ok(Second { has_come, handlers: [kill, note] })
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        for handler in self.handlers {
            low_level::unregister(handler);
        }
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled by Ctrl-C")
    }
}

impl Error for Interrupted {}

impl From<Interrupted> for io::Error {
    fn from(error: Interrupted) -> io::Error {
        io::Error::other(error)
    }
}
