//! Looking for events for a while before sleeping, for who trades CPU time for latency.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use super::Runtime;
use crate::context::Context;

impl Runtime {
    /// Looks for events without sleeping, for as long as the builder said. Breaks once there is
    /// something to do; else says how much of `limit` is left to sleep.
    ///
    /// Meanwhile the loop is not parked: other threads need no system call to reach it.
    pub(super) fn spin(
        &self,
        limit: Option<Duration>,
    ) -> io::Result<ControlFlow<(), Option<Duration>>> {
        if self.spin.is_zero() || limit == Some(Duration::ZERO) {
            return Ok(ControlFlow::Continue(limit));
        }
        let Context { executor, inbox, reactor, .. } = &*self.context;
        let begin = reactor.clock.now();
        let time = limit.map_or(self.spin, |limit| limit.min(self.spin));
        loop {
            reactor.wait(Some(Duration::ZERO))?;
            let now = reactor.clock.now();
            let is_due = reactor.next_deadline().is_some_and(|at| at <= now);
            if executor.ready() > 0 || inbox.is_pending() || is_due {
                return Ok(ControlFlow::Break(()));
            }
            let spun = now.saturating_duration_since(begin);
            if spun >= time {
                let left = limit.map(|limit| limit.saturating_sub(spun));
                return Ok(ControlFlow::Continue(left));
            }
        }
    }
}
