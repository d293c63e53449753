//! The timers of hyper. Layer L4.
//!
//! hyper requires that a sleep is `Send` and `Sync`. Invariant: a sleep holds only names, of its
//! loop and of its timer, which stays in the loop.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::clock;
use crate::context;
use crate::current::{self, WaitsFor};
use crate::reactor::TimerKey;
use crate::threads::{Call, LoopName};
use crate::time::now;

/// The timer of hyper: it makes [`Sleep`]s in the running loop, by the loop's clock.
///
/// # Panics
///
/// Its methods, except `now`, panic outside of a running loop.
///
/// ```
/// use std::time::Duration;
///
/// use hyper::rt::Timer as _;
///
/// evloop::block_on(async {
///     let begin = evloop::time::now();
///     evloop::hyper::Timer.sleep(Duration::from_millis(2)).await;
///     assert!(begin.elapsed() >= Duration::from_millis(2));
/// });
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

/// A future that waits until an instant; made by [`Timer`].
///
/// It is `Send` and `Sync`, but belongs to its loop. Dropping it elsewhere cancels its timer in the
/// loop, a turn later.
///
/// # Panics
///
/// Polling it on another thread, or outside of its running loop.
#[derive(Debug)]
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep {
    in_loop: LoopName,
    /// In nanoseconds of the loop's clock.
    deadline: u64,
    /// The timer, from the first poll until it has fired.
    timer: Option<TimerKey>,
}

impl ::hyper::rt::Timer for Timer {
    #[track_caller]
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn ::hyper::rt::Sleep>> {
        let context = context::expect("hyper::Timer::sleep");
        let deadline = context.reactor.clock.nanos().saturating_add(clock::nanos(duration));
        Box::pin(Sleep { in_loop: context.name, deadline, timer: None })
    }

    #[track_caller]
    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn ::hyper::rt::Sleep>> {
        let context = context::expect("hyper::Timer::sleep_until");
        let deadline = context.reactor.clock.nanos_until(deadline);
        Box::pin(Sleep { in_loop: context.name, deadline, timer: None })
    }

    fn now(&self) -> Instant {
        now()
    }

    #[track_caller]
    fn reset(&self, sleep: &mut Pin<Box<dyn ::hyper::rt::Sleep>>, deadline: Instant) {
        let own = sleep.as_mut().downcast_mut_pin::<Sleep>();
        if !own.is_some_and(|sleep| sleep.get_mut().reset(deadline)) {
            *sleep = self.sleep_until(deadline);
        }
    }
}

impl Sleep {
    /// Sets a new deadline. Returns `false` if the loop of the sleep is not the running one.
    fn reset(&mut self, deadline: Instant) -> bool {
        let Some(context) = context::named(self.in_loop) else { return false };
        let deadline = context.reactor.clock.nanos_until(deadline);
        let old = std::mem::replace(&mut self.deadline, deadline);
        context.reactor.move_timer(&mut self.timer, old, deadline);
        true
    }
}

impl Future for Sleep {
    type Output = ();

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(context) = context::named(self.in_loop) else {
            panic!(
                "a hyper::Sleep was polled on another thread, or outside of its running loop: \
                 serve a connection in the loop in which it was made"
            )
        };
        let deadline = self.deadline;
        match context.reactor.poll_timer(&mut self.timer, deadline, cx.waker()) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => current::pending(WaitsFor::Time),
        }
    }
}

impl ::hyper::rt::Sleep for Sleep {}

impl Drop for Sleep {
    fn drop(&mut self) {
        let Some(timer) = self.timer.take() else { return };
        let (in_loop, deadline) = (self.in_loop, self.deadline);
        if let Some(context) = context::named(in_loop) {
            return context.reactor.cancel_timer(timer, deadline);
        }
        let cancel = move || {
            context::expect("hyper::Sleep").reactor.cancel_timer(timer, deadline);
        };
        if let Some(inbox) = in_loop.inbox() {
            // A loop that ends drops its timers itself.
            let call = Call { function: Box::new(cancel), called_at: Location::caller() };
            drop(inbox.call(call));
        }
    }
}
