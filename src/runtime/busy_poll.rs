//! Busy polling: polls for events without sleeping, for less latency at the cost of a whole core.
//!
//! `Builder::spin` sets for how long.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::context::Context;

/// Polls for events without sleeping, for `time` or until `limit`. Breaks once there is work to do;
/// otherwise returns how much of `limit` is left to sleep.
///
/// Meanwhile the loop is not parked: other threads need no system call to wake it.
pub(super) fn busy_poll(
    context: &Context,
    time: Duration,
    limit: Option<Duration>,
) -> io::Result<ControlFlow<(), Option<Duration>>> {
    if time.is_zero() || limit == Some(Duration::ZERO) {
        return Ok(ControlFlow::Continue(limit));
    }
    let Context { executor, inbox, reactor, .. } = context;

    let begin = reactor.clock.now();
    // The caller's limit may end sooner.
    let time = limit.map_or(time, |limit| limit.min(time));
    loop {
        reactor.wait(Some(Duration::ZERO))?;
        let now = reactor.clock.now();
        let is_due = reactor.next_deadline().is_some_and(|at| at <= now);
        if executor.ready() > 0 || inbox.is_pending() || is_due {
            return Ok(ControlFlow::Break(()));
        }
        let elapsed = now.saturating_duration_since(begin);
        if elapsed >= time {
            let left = limit.map(|limit| limit.saturating_sub(elapsed));
            return Ok(ControlFlow::Continue(left));
        }
    }
}
