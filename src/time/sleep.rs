//! A future that waits until an instant.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::clock;
use crate::context;
use crate::current::{self, WaitsFor};
use crate::reactor::{Reactor, TimerKey};

/// Waits until an instant; made by [`sleep`] and [`sleep_until`].
///
/// It belongs to the loop that was running when it was made, or, if none was, when it is first
/// polled. On another loop of this thread it works too, by its waker.
///
/// # Panics
///
/// Polling it panics outside of a running loop if it was made outside too, and after its loop has
/// ended.
///
/// # Cancel safety
///
/// Dropping it takes its timer back.
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep(State);

enum State {
    /// Made outside of a loop.
    Unbound(Instant),
    Bound {
        reactor: Rc<Reactor>,
        /// In nanoseconds of the reactor's clock.
        deadline: u64,
        /// The timer, from the first poll until it has fired.
        timer: Option<TimerKey>,
        /// Zero: it needs no timer.
        is_over: bool,
        /// It was `Pending` once: a sleep always lets others run.
        has_waited: bool,
    },
}

/// Waits for `duration`, counted from this call.
///
/// A zero duration lets the tasks run that are ready; so does one that has passed when it is first
/// awaited. One that is too long for the loop's clock waits for five centuries.
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
pub fn sleep(duration: Duration) -> Sleep {
    let Some(reactor) = context::reactor() else {
        return Sleep(State::Unbound(clock::add(clock::now(), duration)));
    };
    if duration.is_zero() {
        // Over without a timer, so its deadline must not be later than the present, if by little.
        let present = reactor.clock.nanos_until(reactor.clock.now());
        return Sleep(State::bound(reactor, present, true));
    }
    let deadline = reactor.clock.nanos().saturating_add(clock::nanos(duration));
    Sleep(State::bound(reactor, deadline, false))
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
#[doc(alias = "call_at")]
pub fn sleep_until(deadline: Instant) -> Sleep {
    match context::reactor() {
        Some(reactor) => Sleep(State::until(reactor, deadline)),
        None => Sleep(State::Unbound(deadline)),
    }
}

impl State {
    /// Of a sleep that was made outside of the loop in which it is polled.
    #[cold]
    #[track_caller]
    fn here(deadline: Instant) -> State {
        State::until(context::expect("a sleep").reactor.clone(), deadline)
    }

    fn until(reactor: Rc<Reactor>, deadline: Instant) -> State {
        let deadline = reactor.clock.nanos_until(deadline);
        State::bound(reactor, deadline, false)
    }

    fn bound(reactor: Rc<Reactor>, deadline: u64, is_over: bool) -> State {
        State::Bound { reactor, deadline, timer: None, is_over, has_waited: false }
    }
}

impl Sleep {
    /// When it ends.
    pub fn deadline(&self) -> Instant {
        match &self.0 {
            State::Unbound(deadline) => *deadline,
            State::Bound { reactor, deadline, .. } => reactor.clock.instant(*deadline),
        }
    }

    /// Changes when it ends, whether or not it has ended. It must be awaited or polled again for
    /// that to count.
    pub fn reset(&mut self, deadline: Instant) {
        self.disarm();
        match &mut self.0 {
            State::Unbound(unbound) => *unbound = deadline,
            State::Bound { reactor, .. } => self.0 = State::until(reactor.clone(), deadline),
        }
    }

    /// Takes the timer back, if there is one.
    fn disarm(&mut self) {
        if let State::Bound { reactor, deadline, timer, .. } = &mut self.0 {
            if let Some(key) = timer.take() {
                reactor.cancel_timer(key, *deadline);
            }
        }
    }
}

impl Future for Sleep {
    type Output = ();

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let State::Unbound(deadline) = self.0 {
            self.0 = State::here(deadline);
        }
        let State::Bound { reactor, deadline, timer, is_over, has_waited } = &mut self.0 else {
            unreachable!("it was bound above")
        };
        let is_over = *is_over || reactor.poll_timer(timer, *deadline, cx.waker()).is_ready();
        if is_over && *has_waited {
            return Poll::Ready(());
        }
        if is_over {
            cx.waker().wake_by_ref();
        }
        *has_waited = true;
        current::pending(WaitsFor::Time)
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.disarm();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline()).finish_non_exhaustive()
    }
}

/// The present, by the clock of the running loop; outside of one, by the world's.
///
/// ```
/// let before = evloop::time::now();
/// evloop::block_on(async { assert!(evloop::time::now() >= before) });
/// ```
#[doc(alias = "time")]
pub fn now() -> Instant {
    context::current().map_or_else(clock::now, |context| context.reactor.clock.now())
}
