//! A loop that the thread of `inspect` watches: the feature `inspect`.

use std::time::Duration;

use super::builder::Builder;
use crate::context::Context;
use crate::inspect;

impl Builder {
    /// Sets whether other processes of the same user may look at the loop while it runs, with the
    /// program `evloop`. Default: on if the environment has `EVLOOP_INSPECT=1`.
    ///
    /// A thread, one for all loops of the process, answers on the Unix socket
    /// `$XDG_RUNTIME_DIR/evloop/PID.sock`, or `/tmp/evloop-UID/PID.sock`. It answers also while the
    /// loop is stuck: then it reports which task holds the loop, where that task was spawned, and
    /// whether the thread computes or in which call of the system it is blocked. Only the user that
    /// runs the process, and root, can connect.
    ///
    /// The method is part of the feature `inspect`, which is on by default. Without it the variable
    /// has no effect.
    ///
    /// If the socket cannot be made, a line on stderr says why, and the loop runs without it. Off
    /// Unix the line says that it is not supported.
    ///
    /// ```
    /// let mut runtime = evloop::Runtime::builder().inspect(true).build()?;
    /// assert_eq!(runtime.block_on(async { 1 }), 1);
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "ps")]
    #[doc(alias = "pstree")]
    #[doc(alias = "console_subscriber")]
    pub fn inspect(mut self, is_on: bool) -> Builder {
        self.watch.is_listening = is_on;
        self
    }

    /// Reports a task that holds the loop for longer than `limit`, while it still does, and again
    /// when it has released the loop. At least 1 ms. Default: no limit.
    ///
    /// A thread, one for all loops of the process, watches the loop and prints a line to stderr,
    /// with the task, where it was spawned, and whether it computes or in which call of the system
    /// it is blocked. The report comes up to a quarter of the limit late. Unlike
    /// [debug mode](Builder::debug), which measures each poll and reports it when it has ended, the
    /// watchdog reports a task that never returns, and costs the loop next to nothing.
    ///
    /// The method is part of the feature `inspect`, which is on by default.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let limit = Duration::from_millis(100);
    /// let mut runtime = evloop::Runtime::builder().watchdog(limit).build()?;
    /// assert_eq!(runtime.block_on(async { 1 }), 1);
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "faulthandler")]
    #[doc(alias = "preempt_timer")]
    #[doc(alias = "MonitorThread")]
    #[doc(alias = "periodic_monitoring_thread")]
    pub fn watchdog(mut self, limit: Duration) -> Builder {
        self.watch.limit = Some(limit.max(Duration::from_millis(1)));
        self
    }
}

/// Called when a loop was made: has the thread watch it if it is to be watched.
pub(super) fn start(context: &Context) {
    if let Some(beacon) = &context.inbox.info.beacon {
        inspect::start(beacon.settings);
    }
}

/// Called when a loop has ended.
pub(super) fn end(context: &Context) {
    if context.inbox.info.beacon.is_some() {
        inspect::end();
    }
}
