//! A future that waits until an instant.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::now;
use crate::budget;
use crate::clock;
use crate::context;
use crate::reactor::Reactor;
use crate::timers::TimerKey;

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
pub struct Sleep {
    deadline: Instant,
    reactor: Option<Rc<Reactor>>,
    /// The timer and its deadline by the loop's clock, from the first poll on.
    timer: Option<(TimerKey, u64)>,
}

/// Waits for `duration`, counted from this call.
///
/// A zero duration lets the tasks run that are ready; so does one that has passed when it is first
/// awaited. One that is too long for the platform waits for 136 years.
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
    sleep_until(clock::add(now(), duration))
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
    let reactor = context::current().map(|context| context.reactor.clone());
    Sleep { deadline, reactor, timer: None }
}

impl Sleep {
    /// When it ends.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Changes when it ends, whether or not it has ended. It must be awaited or polled again for
    /// that to count.
    pub fn reset(&mut self, deadline: Instant) {
        self.disarm();
        self.deadline = deadline;
    }

    /// Takes the timer back, if one is in the wheel.
    fn disarm(&mut self) {
        if let (Some((key, deadline)), Some(reactor)) = (self.timer.take(), &self.reactor) {
            if !reactor.has_fired(deadline) {
                reactor.remove_timer(key);
            }
        }
    }
}

impl Future for Sleep {
    type Output = ();

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Sleep { deadline, reactor, timer } = &mut *self;
        let reactor = reactor.get_or_insert_with(|| context::expect("a sleep").reactor.clone());
        if let Some((key, at)) = *timer {
            if !reactor.has_fired(at) {
                reactor.update_timer(key, cx.waker());
                return Poll::Pending;
            }
            *timer = None;
        }
        let at = reactor.clock.nanos_until(*deadline);
        if reactor.has_fired(at) {
            std::task::ready!(budget::poll_left(cx));
            budget::spend();
            return Poll::Ready(());
        }
        *timer = Some((reactor.insert_timer(at, cx.waker()), at));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.disarm();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
