//! Ticks at a fixed period.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;

use super::sleep::{Sleep, now, sleep_until};
use crate::clock;
use crate::current::{budget, leaf};

/// A source of ticks at a fixed period; created by [`interval`] and [`interval_at`]. It is also a
/// `Stream` of ticks, which never ends.
#[derive(Debug)]
#[must_use = "an interval does nothing unless `tick` is awaited"]
pub struct Interval {
    sleep: Sleep,
    /// When the next tick is due. Stored here too, because the sleep's clock may not reach back so
    /// far.
    due: Instant,
    period: Duration,
    missed: MissedTick,
}

const NO_PERIOD: &str = "an interval needs a period above zero";

/// The policy of an [`Interval`] for a tick that is late because the task or the loop was busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTick {
    /// The missed ticks follow immediately, until the schedule is caught up.
    #[default]
    Burst,
    /// The next tick is one period after the late one: the schedule moves.
    Delay,
    /// The missed ticks are omitted: the next tick is the next one of the schedule.
    Skip,
}

/// Creates an interval that ticks immediately, then every `period`.
///
/// # Panics
///
/// If `period` is zero.
///
/// ```
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     let mut interval = evloop::time::interval(Duration::from_millis(2));
///     let first = interval.tick().await;
///     let second = interval.tick().await;
///     assert_eq!(second - first, Duration::from_millis(2));
/// });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(now(), period)
}

/// Creates an interval that ticks at `start`, then every `period`.
///
/// # Panics
///
/// If `period` is zero.
///
/// ```
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     let start = evloop::time::now() + Duration::from_millis(2);
///     let mut interval = evloop::time::interval_at(start, Duration::from_millis(1));
///     assert_eq!(interval.tick().await, start);
/// });
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "{NO_PERIOD}");
    Interval { sleep: sleep_until(start), due: start, period, missed: MissedTick::default() }
}

impl Interval {
    /// Waits for the next tick. Returns the instant at which it was due.
    ///
    /// # Cancel safety
    ///
    /// No tick is lost: dropping the future leaves the tick to the next call.
    pub fn tick(&mut self) -> impl Future<Output = Instant> {
        leaf(move |cx| self.poll_tick(cx))
    }

    /// Polls for the next tick: ready once it is due.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(budget::poll_left(cx));
        if self.due > now() {
            ready!(Pin::new(&mut self.sleep).poll(cx));
        }
        budget::spend();
        let due = self.due;
        self.schedule(self.missed.next(due, now(), self.period));
        Poll::Ready(due)
    }

    /// Returns the time between ticks.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Sets the time between ticks. The next tick stays where it is; the period begins with it.
    ///
    /// # Panics
    ///
    /// If `period` is zero.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// evloop::block_on(async {
    ///     let mut interval = evloop::time::interval(Duration::from_secs(3600));
    ///     let first = interval.tick().await;
    ///     interval.set_period(Duration::from_millis(1));
    ///     interval.reset_at(first + Duration::from_millis(2));
    ///     assert_eq!(interval.tick().await, first + Duration::from_millis(2));
    ///     assert_eq!(interval.tick().await, first + Duration::from_millis(3));
    /// });
    /// ```
    #[doc(alias = "set_interval")]
    #[track_caller]
    pub fn set_period(&mut self, period: Duration) {
        assert!(!period.is_zero(), "{NO_PERIOD}");
        self.period = period;
    }

    /// Returns the policy for missed ticks.
    #[doc(alias = "missed_tick_behavior")]
    pub fn missed_tick(&self) -> MissedTick {
        self.missed
    }

    /// Sets the policy for missed ticks. Default: [`MissedTick::Burst`].
    #[doc(alias = "set_missed_tick_behavior")]
    pub fn set_missed_tick(&mut self, missed: MissedTick) {
        self.missed = missed;
    }

    /// Moves the schedule: the next tick is one period from now.
    pub fn reset(&mut self) {
        self.schedule(clock::add(now(), self.period));
    }

    /// Moves the schedule: the next tick is at `deadline`, whether it has passed or not, and the
    /// others follow it. A task that waits for a tick is woken then.
    #[doc(alias = "set_interval_at")]
    pub fn reset_at(&mut self, deadline: Instant) {
        self.schedule(deadline);
    }

    /// Moves the schedule: the next tick is `duration` from now.
    pub fn reset_after(&mut self, duration: Duration) {
        self.schedule(clock::add(now(), duration));
    }

    /// Moves the schedule: the next tick is now.
    pub fn reset_immediately(&mut self) {
        self.schedule(now());
    }

    fn schedule(&mut self, due: Instant) {
        self.due = due;
        self.sleep.reset(due);
    }
}

impl MissedTick {
    /// Returns the tick after the one that was `due`.
    fn next(self, due: Instant, now: Instant, period: Duration) -> Instant {
        let next = clock::add(due, period);
        if next > now {
            return next;
        }
        match self {
            MissedTick::Burst => next,
            MissedTick::Delay => clock::add(now, period),
            MissedTick::Skip => {
                let late = now.saturating_duration_since(due).as_nanos() % period.as_nanos();
                // The remainder is less than the period, so its seconds fit into 64 bits.
                let late =
                    Duration::new((late / 1_000_000_000) as u64, (late % 1_000_000_000) as u32);
                clock::add(now, period - late)
            }
        }
    }
}

impl Stream for Interval {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.poll_tick(cx).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_ticks() {
        let due = clock::now();
        let after = |seconds| due + Duration::from_secs(seconds);
        let period = Duration::from_secs(10);
        for (missed, late, next) in [
            (MissedTick::Burst, 3, 10),
            (MissedTick::Burst, 35, 10),
            (MissedTick::Delay, 3, 10),
            (MissedTick::Delay, 35, 45),
            (MissedTick::Skip, 3, 10),
            (MissedTick::Skip, 35, 40),
            (MissedTick::Skip, 40, 50),
        ] {
            let found = missed.next(due, after(late), period);
            assert_eq!(found, after(next), "{missed:?}, {late} s late");
        }
    }
}
