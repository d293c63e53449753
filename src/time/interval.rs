//! Something that happens again and again.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;

use super::sleep::{Sleep, now, sleep_until};
use crate::clock;
use crate::current::budget;

/// Ticks at a fixed period; made by [`interval`] and [`interval_at`]. Also a `Stream` of ticks that
/// never ends.
#[derive(Debug)]
#[must_use = "an interval does nothing unless `tick` is awaited"]
pub struct Interval {
    sleep: Sleep,
    /// When the next tick is due: the sleep's clock may not reach back so far.
    due: Instant,
    period: Duration,
    missed: MissedTick,
}

/// What an [`Interval`] does when a tick comes late, because the task or the loop was busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTick {
    /// The ticks that were missed follow at once, until the schedule is caught up.
    #[default]
    Burst,
    /// The next tick is a period after the late one: the schedule moves.
    Delay,
    /// The ticks that were missed are left out: the next is the first of the schedule to come.
    Skip,
}

/// Ticks at once, then every `period`.
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

/// Ticks at `start`, then every `period`.
///
/// # Panics
///
/// If `period` is zero.
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval needs a period above zero");
    Interval { sleep: sleep_until(start), due: start, period, missed: MissedTick::default() }
}

impl Interval {
    /// Waits for the next tick. Returns when it was due.
    ///
    /// # Cancel safety
    ///
    /// No tick is lost.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// The next tick, if it is due.
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

    /// The time between ticks.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// What happens to ticks that are missed. Default: [`MissedTick::Burst`].
    pub fn set_missed_tick(&mut self, missed: MissedTick) {
        self.missed = missed;
    }

    /// The next tick is a period from now.
    pub fn reset(&mut self) {
        self.schedule(clock::add(now(), self.period));
    }

    fn schedule(&mut self, due: Instant) {
        self.due = due;
        self.sleep.reset(due);
    }
}

impl MissedTick {
    /// The tick after the one that was `due`.
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
                // A remainder is less than the period, whose nanoseconds fit if its seconds do.
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
