//! A future that waits until an instant.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use crate::clock;
use crate::context;
use crate::current::{self, WaitsFor};
use crate::reactor::{Reactor, TimerKey};

/// A future that waits until an instant; created by [`sleep`] and [`sleep_until`].
///
/// It belongs to the loop that was running when it was created; if none was running, to the loop in
/// which it is first polled. A task of another loop on this thread can await it too; the sleep's
/// own loop must run to wake that task.
///
/// # Panics
///
/// Polling it panics after its loop has ended. If it was created outside a running loop, the first
/// poll outside one panics too.
///
/// # Cancel safety
///
/// Dropping it cancels its timer.
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep(State);

enum State {
    /// Created outside a loop.
    Unbound(Instant),
    Bound(LoopSleep),
}

/// A sleep of a loop. Dropping it cancels its timer.
pub(super) struct LoopSleep {
    reactor: Rc<Reactor>,
    /// In nanoseconds of the reactor's clock.
    deadline: u64,
    /// The timer, from the first poll until it has fired.
    timer: Option<TimerKey>,
    /// The duration was zero, so no timer is needed.
    is_over: bool,
    /// It has returned `Pending` once: a sleep always lets other tasks run.
    has_waited: bool,
}

/// Waits for `duration`, counted from this call.
///
/// A zero duration lets the ready tasks run; so does a sleep whose deadline has passed when it is
/// first awaited. A duration that is too long for the loop's clock waits for about five centuries.
///
/// ```
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     let begin = evloop::time::now();
///     evloop::time::sleep(Duration::from_millis(2)).await;
///     assert!(begin.elapsed() >= Duration::from_millis(2));
/// });
/// ```
#[inline]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep(match deadline_after(duration) {
        (Some(reactor), deadline) => {
            State::Bound(LoopSleep::new(reactor, deadline, duration.is_zero()))
        }
        (None, _) => State::Unbound(instant_after(duration)),
    })
}

/// Returns the reactor of the running loop and a deadline by its clock: in registers, so that the
/// caller makes the sleep in place.
#[inline(never)]
fn deadline_after(duration: Duration) -> (Option<Rc<Reactor>>, u64) {
    let Some(reactor) = context::reactor() else { return (None, 0) };
    let deadline = match clock::nanos(duration) {
        // This sleep is over without a timer, so its deadline must not be later than now, not even
        // by a tick.
        0 => reactor.clock.nanos_until(clock::now()),
        nanos => reactor.clock.nanos().saturating_add(nanos),
    };
    (Some(reactor), deadline)
}

#[cold]
fn instant_after(duration: Duration) -> Instant {
    clock::add(clock::now(), duration)
}

/// Waits until `deadline`.
///
/// ```
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     let noon = evloop::time::now() + Duration::from_millis(2);
///     evloop::time::sleep_until(noon).await;
///     assert!(evloop::time::now() >= noon);
/// });
/// ```
pub fn sleep_until(deadline: Instant) -> Sleep {
    match context::reactor() {
        Some(reactor) => Sleep(State::Bound(LoopSleep::until(reactor, deadline))),
        None => Sleep(State::Unbound(deadline)),
    }
}

impl LoopSleep {
    #[inline]
    fn new(reactor: Rc<Reactor>, deadline: u64, is_over: bool) -> LoopSleep {
        LoopSleep { reactor, deadline, timer: None, is_over, has_waited: false }
    }

    /// Makes a sleep of a duration in nanoseconds that is not zero. Always inlined, as `poll` is:
    /// a timeout saves the copy of a new sleep, and two calls.
    #[inline(always)]
    pub(super) fn after(reactor: Rc<Reactor>, nanos: u64) -> LoopSleep {
        let deadline = reactor.clock.nanos().saturating_add(nanos);
        LoopSleep::new(reactor, deadline, false)
    }

    pub(super) fn until(reactor: Rc<Reactor>, deadline: Instant) -> LoopSleep {
        let deadline = reactor.clock.nanos_until(deadline);
        LoopSleep::new(reactor, deadline, false)
    }

    #[inline(always)]
    #[track_caller]
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let LoopSleep { reactor, deadline, timer, is_over, has_waited } = self;
        let is_over = *is_over || reactor.poll_timer(timer, *deadline, cx.waker()).is_ready();
        if is_over && *has_waited {
            return Poll::Ready(());
        }
        if is_over {
            // Its deadline passed before the first poll. It completes at its next one.
            cx.waker().wake_by_ref();
        }
        *has_waited = true;
        current::pending(WaitsFor::Time)
    }

    fn reset(&mut self, deadline: Instant) {
        let new = self.reactor.clock.nanos_until(deadline);
        let old = mem::replace(&mut self.deadline, new);
        // Before the timer moves: that may wake the waiter, which is user code.
        self.is_over = false;
        self.has_waited = self.timer.is_some();
        self.has_waited = self.reactor.move_timer(&mut self.timer, old, new);
    }
}

impl Sleep {
    /// Binds a sleep that was created outside the loop in which it is polled.
    #[cold]
    #[track_caller]
    fn bind(&mut self, deadline: Instant) -> &mut LoopSleep {
        *self = Sleep(State::Bound(LoopSleep::until(expect_reactor(), deadline)));
        match &mut self.0 {
            State::Bound(sleep) => sleep,
            State::Unbound(_) => unreachable!("the sleep was bound above"),
        }
    }

    /// Returns the instant at which the sleep ends.
    pub fn deadline(&self) -> Instant {
        match &self.0 {
            State::Unbound(deadline) => *deadline,
            State::Bound(sleep) => sleep.reactor.clock.instant(sleep.deadline),
        }
    }

    /// Creates a sleep that does not end until [`reset`](Sleep::reset) sets a deadline (or about
    /// five centuries have passed): async-io's `Timer::never`.
    ///
    /// ```
    /// use evloop::time::{Sleep, now};
    ///
    /// evloop::block_on(async {
    ///     let mut idle = Sleep::never();
    ///     assert!(!idle.is_elapsed());
    ///     idle.reset(now());
    ///     idle.await;
    /// });
    /// ```
    pub fn never() -> Sleep {
        sleep(Duration::MAX)
    }

    /// Returns whether the deadline has passed.
    #[doc(alias = "will_fire")]
    pub fn is_elapsed(&self) -> bool {
        self.deadline() <= now()
    }

    /// Sets a new deadline, whether or not the sleep has ended. A task that waits for the sleep is
    /// woken at the new deadline, as if it had waited for that from the start; at once if the
    /// deadline has passed.
    ///
    /// ```
    /// use std::{cell::RefCell, future::{Future, poll_fn}, pin::Pin, time::Duration};
    ///
    /// use evloop::{task, time};
    ///
    /// evloop::block_on(async {
    ///     let sleep = RefCell::new(time::sleep(Duration::from_secs(3600)));
    ///     task::scope(async |s| {
    ///         s.spawn(poll_fn(|cx| Pin::new(&mut *sleep.borrow_mut()).poll(cx)));
    ///         task::yield_now().await;
    ///         sleep.borrow_mut().reset(time::now());
    ///     })
    ///     .await;
    /// });
    /// ```
    #[doc(alias = "set_at")]
    #[doc(alias = "set_after")]
    pub fn reset(&mut self, deadline: Instant) {
        match &mut self.0 {
            State::Unbound(unbound) => *unbound = deadline,
            State::Bound(sleep) => sleep.reset(deadline),
        }
    }
}

/// Returns the reactor of the running loop.
#[inline]
#[track_caller]
pub(super) fn expect_reactor() -> Rc<Reactor> {
    context::expect_reactor("a sleep or timeout")
}

impl Future for Sleep {
    type Output = ();

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            State::Bound(sleep) => sleep.poll(cx),
            State::Unbound(deadline) => {
                let deadline = *deadline;
                self.bind(deadline).poll(cx)
            }
        }
    }
}

impl Drop for LoopSleep {
    fn drop(&mut self) {
        if let Some(key) = self.timer.take() {
            self.reactor.cancel_timer(key, self.deadline);
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline()).finish_non_exhaustive()
    }
}

/// Returns the current time by the clock of the running loop; outside a loop, by the system's
/// clock.
///
/// ```
/// let before = evloop::time::now();
/// evloop::block_on(async { assert!(evloop::time::now() >= before) });
/// ```
pub fn now() -> Instant {
    clock::now()
}

/// Returns the time of day: the system's, and in a simulated world that of the host.
///
/// Unlike [`now`], it may jump when the clock is set.
///
/// ```
/// use std::time::SystemTime;
///
/// assert!(evloop::time::system_now() > SystemTime::UNIX_EPOCH);
/// ```
#[doc(alias = "SystemTime")]
#[doc(alias = "time.time")]
pub fn system_now() -> SystemTime {
    clock::system_now()
}
