//! A main future that Ctrl-C cancels, as asyncio's Runner does.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use signal_hook::consts::SIGINT;
use signal_hook::{SigId, flag, low_level};

use super::disposition::{self, Disposition};
use super::kind::SignalKind;
use super::listener::Listener;
use crate::poll_with::poll_with;
use crate::runtime::Runtime;

/// The error of [`Runtime::block_on_or_cancel`]: Ctrl-C came, and the future was dropped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Interrupted(());

/// On Unix, with the feature `signal`.
impl Runtime {
    /// Runs `future` to completion, or until Ctrl-C (SIGINT), as asyncio's `Runner` does.
    ///
    /// The first Ctrl-C drops the future at its current await, so that destructors run; other tasks
    /// stay, and are dropped with the runtime. If the future completes in the same poll, its output
    /// is returned. The second Ctrl-C ends the process, even if the loop has not handled the first
    /// because a task or a destructor blocks it.
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
    /// If a loop is already running on this thread, the selector fails, or no descriptor is left
    /// for the listener. A panic of the future propagates; the loop can still be used.
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
        // `Some` from the first poll on. Dropped after the future, so a second Ctrl-C still ends
        // the process meanwhile.
        let mut listening = None;
        self.block_on(poll_with(future, move |future, cx| {
            let interrupt = listening.get_or_insert_with(|| match Interrupt::new() {
                Ok(interrupt) => interrupt,
                Err(error) => panic!("Ctrl-C cannot be listened to: {error}"),
            });
            if let Poll::Ready(output) = future.poll(cx) {
                return Poll::Ready(Ok(output));
            }
            let Some(interrupt) = interrupt else { return Poll::Pending };
            // The listener wakes the task. The flag is checked too: a future that spends the whole
            // budget of each poll leaves none to the listener.
            let is_received = interrupt.listener.poll_recv(cx).is_ready();
            match is_received || interrupt.second.is_set.load(Ordering::SeqCst) {
                true => Poll::Ready(Err(Interrupted(()))),
                false => Poll::Pending,
            }
        }))
    }
}

/// Listens for the first Ctrl-C, and lets the second end the process.
struct Interrupt {
    /// Dropped first: from then on the default applies, which ends the process.
    listener: Listener,
    second: SecondInterrupt,
}

/// Lets the second Ctrl-C end the process, as long as this lives.
struct SecondInterrupt {
    /// Set by the handler itself, because the loop may be blocked.
    is_set: Arc<AtomicBool>,
    handlers: [SigId; 2],
}

impl Interrupt {
    /// Returns `None` if the process ignores Ctrl-C.
    fn new() -> io::Result<Option<Interrupt>> {
        if disposition::prepare(SIGINT)? == Disposition::Ignored {
            return Ok(None);
        }
        // Before the listener, so that the flag is set when the handler wakes the loop.
        let second = SecondInterrupt::new()?;
        let listener = super::listener::unix(SignalKind::interrupt())?;
        Ok(Some(Interrupt { listener, second }))
    }
}

impl SecondInterrupt {
    fn new() -> io::Result<SecondInterrupt> {
        let is_set = Arc::new(AtomicBool::new(false));
        // In this order, so that the signal that sets the flag does not find it set.
        let kill = disposition::restore_if(SIGINT, is_set.clone())?;
        let set_flag = flag::register(SIGINT, is_set.clone())
            .inspect_err(|_| _ = low_level::unregister(kill))?;
        Ok(SecondInterrupt { is_set, handlers: [kill, set_flag] })
    }
}

impl Drop for SecondInterrupt {
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

impl fmt::Debug for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Interrupted({self})")
    }
}

impl Error for Interrupted {}

impl From<Interrupted> for io::Error {
    fn from(error: Interrupted) -> io::Error {
        io::Error::other(error)
    }
}
