//! The wait of a turn: for events, for the next deadline, or not at all.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use super::busy_poll::busy_poll;
use crate::clock::earlier;
use crate::context::Context;
use crate::executor::Observers;
use crate::wait::WaiterList;

/// Waits for events for `limit` at most, and for no longer than until the next deadline. Polls for
/// them without sleeping for `spin` first. Does not wait if a task is ready.
pub(super) fn wait(context: &Context, spin: Duration, limit: Option<Duration>) -> io::Result<()> {
    match context.executor.observers() {
        None => wait_unobserved(context, spin, limit),
        Some(observers) => wait_observed(context, observers, spin, limit),
    }
}

/// Parks the inbox during the wait, so that other threads wake the selector.
fn wait_unobserved(context: &Context, spin: Duration, limit: Option<Duration>) -> io::Result<()> {
    let Context { executor, inbox, reactor, idle, .. } = context;
    if executor.ready() > 0 {
        return reactor.wait(Some(Duration::ZERO));
    }
    // If memory was left before this call, an instrument has recorded that the loop does not wait.
    let was_shrinking = executor.is_shrinking();
    executor.shrink();
    let is_short = was_shrinking || executor.is_shrinking();
    let limit = if is_short { Some(Duration::ZERO) } else { limit };
    let ControlFlow::Continue(limit) = busy_poll(context, spin, limit)? else {
        return if idle.has_waiting() { wait_if_idle(context) } else { Ok(()) };
    };
    // Parking fails if a wake or a call has come in: it is handled in this turn. It fails also
    // while tasks wait until the loop is idle.
    if !inbox.park() {
        return wait_if_idle(context);
    }
    let waited = reactor.wait(limit);
    inbox.unpark();
    waited
}

/// Polls for events without waiting. If no event, timer, wake or call makes a task ready, wakes the
/// tasks that wait until the loop is idle.
#[cold]
fn wait_if_idle(context: &Context) -> io::Result<()> {
    let Context { executor, inbox, reactor, idle, .. } = context;
    reactor.wait(Some(Duration::ZERO))?;
    if idle.has_waiting() {
        // This turn fires a timer that is due.
        let is_due = reactor.next_deadline().is_some_and(|at| at <= reactor.clock.now());
        let has_work = executor.ready() > 0 || is_due || reactor.has_pending_wakes();
        if !has_work && inbox.len() == 0 {
            idle.call(WaiterList::wake_one);
        }
    }
    Ok(())
}

/// Receives events without waiting, if the selector may have some: `is_readable`, or the last wait
/// left some. The wait of a hosted turn.
pub(super) fn look(context: &Context, is_readable: bool) -> io::Result<()> {
    let Context { executor, reactor, idle, .. } = context;
    let is_idle = executor.ready() == 0;
    if is_idle {
        executor.shrink();
    }
    let checks_idle = is_idle && idle.has_waiting();
    if !(is_readable || checks_idle || reactor.has_events_left() || reactor.has_pending_wakes()) {
        return Ok(());
    }
    let look = || match checks_idle {
        true => wait_if_idle(context),
        false => reactor.wait(Some(Duration::ZERO)),
    };
    match executor.observers() {
        None => look(),
        Some(observers) => observers.around_wait(Some(Duration::ZERO), look),
    }
}

#[cold]
fn wait_observed(
    context: &Context,
    observers: &Observers,
    spin: Duration,
    limit: Option<Duration>,
) -> io::Result<()> {
    // A hook may make a task ready: then the wait is shorter.
    let longest = match observers.has_instruments() {
        _ if has_work(context) => Some(Duration::ZERO),
        true => shorten(context, limit),
        false => limit,
    };
    observers.around_wait(longest, || wait_unobserved(context, spin, limit))
}

/// Returns `limit`, or the time until the next deadline if that is shorter.
fn shorten(context: &Context, limit: Option<Duration>) -> Option<Duration> {
    let reactor = &context.reactor;
    let deadline = reactor.next_deadline();
    let until = deadline.map(|at| at.saturating_duration_since(reactor.clock.now()));
    earlier(until, limit)
}

/// Returns whether there is work to do without waiting for an event.
pub(super) fn has_work(context: &Context) -> bool {
    let Context { executor, inbox, reactor, .. } = context;
    let is_ready = executor.ready() > 0 || inbox.is_pending() || reactor.has_pending_wakes();
    is_ready || executor.is_shrinking()
}
