//! L0: the one place that reads the time.
//!
//! A loop counts *ticks* of 66 us from its own origin, so that timers are plain integers and need
//! no [`Instant`]. Invariant: a deadline is rounded up to a tick, and the current time is rounded
//! down. Hence a timer that fires on ticks is never early.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::sys::{self, Monotonic};

/// The length of a tick in nanoseconds, as a power of two: 66 us. Deadlines within a tick share one
/// wait of the loop, and may be late by a tick; the timer slack of Linux is about as long.
const TICK_SHIFT: u32 = 16;

/// The delay that replaces one too long for the platform's `Instant`: 136 years.
const FAR_FUTURE: Duration = Duration::from_secs(1 << 32);

/// A point in time of one loop, in units of 65,536 ns since the origin of its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(pub(crate) u64);

/// The monotonic clock of one loop. A simulated clock would replace it.
///
/// The offset between the two scales, [`Instant`] and `Monotonic`, is known only up to the time
/// between two readings: `lag`. So the current time is rounded up to compute a deadline, and
/// rounded down to fire one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// Started before `origin` was read.
    monotonic: Monotonic,
    /// The time of tick zero.
    origin: Instant,
    /// The value of `monotonic` after `origin` was read.
    lag: u64,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        let monotonic = Monotonic::new();
        Clock::of(monotonic, now())
    }

    /// Makes a clock. `monotonic` must have been started before `origin` was read.
    fn of(monotonic: Monotonic, origin: Instant) -> Clock {
        Clock { monotonic, origin, lag: monotonic.nanos() }
    }

    pub(crate) fn now(&self) -> Instant {
        now()
    }

    /// Returns the current time in nanoseconds since the origin, rounded up: to compute deadlines.
    pub(crate) fn nanos(&self) -> u64 {
        self.monotonic.nanos()
    }

    /// Returns the nanoseconds since the origin, rounded down: to fire deadlines. 0 if the system's
    /// clock was set back before the origin, as when a frozen process resumes on another machine.
    fn elapsed(&self) -> u64 {
        self.nanos().saturating_sub(self.lag)
    }

    /// Returns the current time, rounded down to a tick.
    pub(crate) fn tick(&self) -> Tick {
        Tick(self.elapsed() >> TICK_SHIFT)
    }

    /// Returns the nanoseconds from the origin to `at`: 0 if `at` is earlier, at most `u64::MAX`
    /// (five centuries).
    pub(crate) fn nanos_until(&self, at: Instant) -> u64 {
        nanos(at.saturating_duration_since(self.origin))
    }

    /// Returns the time left until the tick `at` begins.
    pub(crate) fn left(&self, at: Tick) -> Duration {
        Duration::from_nanos(at.nanos().saturating_sub(self.elapsed()))
    }

    /// Returns an instant at which the tick `at` has begun.
    pub(crate) fn begin(&self, at: Tick) -> Instant {
        self.instant(at.nanos().saturating_add(self.lag))
    }

    /// Returns the instant `nanos` nanoseconds after the origin.
    pub(crate) fn instant(&self, nanos: u64) -> Instant {
        add(self.origin, Duration::from_nanos(nanos))
    }
}

impl Tick {
    /// Returns the begin of the tick, in nanoseconds since the origin.
    pub(crate) const fn nanos(self) -> u64 {
        self.0.saturating_mul(1 << TICK_SHIFT)
    }

    /// Returns the first tick that begins at or after `nanos` from the origin, or the last tick.
    pub(crate) fn at_or_after(nanos: u64) -> Tick {
        Tick(nanos.saturating_add((1 << TICK_SHIFT) - 1) >> TICK_SHIFT)
    }
}

/// Returns a duration in nanoseconds, at most `u64::MAX` (five centuries).
pub(crate) fn nanos(d: Duration) -> u64 {
    d.as_secs().saturating_mul(1_000_000_000).saturating_add(d.subsec_nanos().into())
}

/// Returns the current time. All code of the crate reads the time through this module.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Returns the nanoseconds of the system's cheapest clock, which advances every 1 to 4 ms.
pub(crate) fn coarse_nanos() -> u64 {
    sys::coarse_nanos()
}

/// Returns the clock that all threads share. It began with the first call.
pub(crate) fn shared() -> Monotonic {
    static SHARED: OnceLock<Monotonic> = OnceLock::new();
    *SHARED.get_or_init(Monotonic::new)
}

/// Returns `at + d`, or 136 years after `at` if the platform's `Instant` cannot represent the sum.
pub(crate) fn add(at: Instant, d: Duration) -> Instant {
    at.checked_add(d).unwrap_or_else(|| at + FAR_FUTURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const APART: Duration = Duration::from_millis(2);

    fn pass_time() {
        let end = now() + APART;
        while now() < end {}
    }

    /// Makes a clock as on a thread that was suspended twice meanwhile.
    fn delayed_clock() -> Clock {
        let monotonic = Monotonic::new();
        pass_time();
        let origin = now();
        pass_time();
        Clock::of(monotonic, origin)
    }

    #[test]
    fn ticks_are_rounded_down_and_deadlines_up() {
        let clock = delayed_clock();
        let elapsed = clock.tick().nanos();
        assert!(elapsed <= clock.nanos_until(now()));
        let before = clock.nanos_until(now());
        assert!(before <= clock.nanos());
    }

    #[test]
    fn a_tick_has_begun_at_its_instant() {
        let clock = delayed_clock();
        let at = Tick::at_or_after(clock.nanos_until(now()) + 1);
        while now() < clock.begin(at) {}
        assert!(clock.tick() >= at);
        assert_eq!(clock.left(at), Duration::ZERO);
    }

    #[test]
    fn a_clock_that_was_set_back_stays_at_zero() {
        let clock = Clock { lag: u64::MAX, ..Clock::new() };
        assert_eq!(clock.tick(), Tick(0));
        assert_eq!(clock.left(Tick(1)), Duration::from_nanos(Tick(1).nanos()));
    }
}
