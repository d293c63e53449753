//! L0: the one place that reads the time.
//!
//! A loop counts in *ticks* of 66 us from its own origin, so that the timers are plain integers
//! and never see an [`Instant`]. Invariant: a deadline rounds up to a tick and the present rounds
//! down, hence a timer that fires on ticks is never early.

use std::time::{Duration, Instant};

use crate::sys::{self, Monotonic};

/// Nanoseconds of a tick, as a power of two: 66 us. Deadlines within a tick share one wait of the
/// loop, at the price of that much lateness: what the system's own timer slack takes too.
const TICK_SHIFT: u32 = 16;

/// What stands in for a deadline too far away for the platform's `Instant`: 136 years.
const FAR: Duration = Duration::from_secs(1 << 32);

/// A point in time of one loop, in units of 65,536 ns since the loop was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(pub(crate) u64);

/// The clock of one loop: monotonic, and the place where a simulated one would go.
///
/// Where an [`Instant`] lies on the number's scale is known as well as both can be read at a time.
/// So the present is rounded up where a deadline is made from it, and down where one is fired.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// Begun before `origin` was read.
    monotonic: Monotonic,
    /// Tick zero.
    origin: Instant,
    /// What `monotonic` had come to after `origin` was read.
    lag: u64,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        let monotonic = Monotonic::new();
        Clock::of(monotonic, now())
    }

    /// `monotonic` was begun before `origin` was read.
    fn of(monotonic: Monotonic, origin: Instant) -> Clock {
        Clock { monotonic, origin, lag: monotonic.nanos() }
    }

    pub(crate) fn now(&self) -> Instant {
        now()
    }

    /// The present in nanoseconds since the origin, or a little later: to count deadlines from.
    pub(crate) fn nanos(&self) -> u64 {
        self.monotonic.nanos()
    }

    /// Nanoseconds that have passed since the origin, to fire deadlines by. None, if the system's
    /// clock was put back to before it, as when a frozen process goes on elsewhere.
    fn passed(&self) -> u64 {
        self.nanos().saturating_sub(self.lag)
    }

    /// The present, rounded down to a tick.
    pub(crate) fn tick(&self) -> Tick {
        Tick(self.passed() >> TICK_SHIFT)
    }

    /// Nanoseconds from the origin to `at`: zero if it is earlier, `u64::MAX` five centuries on.
    pub(crate) fn nanos_until(&self, at: Instant) -> u64 {
        nanos(at.saturating_duration_since(self.origin))
    }

    /// The time left until the tick `at` begins.
    pub(crate) fn left(&self, at: Tick) -> Duration {
        Duration::from_nanos(at.nanos().saturating_sub(self.passed()))
    }

    /// When `at` has begun.
    pub(crate) fn begin(&self, at: Tick) -> Instant {
        self.instant(at.nanos().saturating_add(self.lag))
    }

    /// The instant that is `nanos` after the origin.
    pub(crate) fn instant(&self, nanos: u64) -> Instant {
        add(self.origin, Duration::from_nanos(nanos))
    }
}

impl Tick {
    /// When the tick begins, in nanoseconds since the origin.
    pub(crate) const fn nanos(self) -> u64 {
        self.0.saturating_mul(1 << TICK_SHIFT)
    }

    /// The first tick that begins at or after `nanos` from the origin; the last of all at most.
    pub(crate) fn at_or_after(nanos: u64) -> Tick {
        Tick(nanos.saturating_add((1 << TICK_SHIFT) - 1) >> TICK_SHIFT)
    }
}

/// A duration in nanoseconds; five centuries if it is longer.
pub(crate) fn nanos(d: Duration) -> u64 {
    d.as_secs().saturating_mul(1_000_000_000).saturating_add(d.subsec_nanos().into())
}

/// The present of the world outside of any loop.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The present in nanoseconds of the system's cheapest clock, which moves on every 1 to 4 ms.
pub(crate) fn coarse_nanos() -> u64 {
    sys::coarse_nanos()
}

/// `at + d`, or a century on where the platform's `Instant` cannot say it.
pub(crate) fn add(at: Instant, d: Duration) -> Instant {
    at.checked_add(d).unwrap_or_else(|| at + FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    const APART: Duration = Duration::from_millis(2);

    fn pass_time() {
        let end = now() + APART;
        while now() < end {}
    }

    /// As of a thread that was held up twice while it made its clock.
    fn held_up() -> Clock {
        let monotonic = Monotonic::new();
        pass_time();
        let origin = now();
        pass_time();
        Clock::of(monotonic, origin)
    }

    #[test]
    fn a_tick_is_never_early_and_a_deadline_never_short() {
        let clock = held_up();
        let passed = clock.tick().nanos();
        assert!(passed <= clock.nanos_until(now()));
        let before = clock.nanos_until(now());
        assert!(before <= clock.nanos());
    }

    #[test]
    fn a_tick_has_begun_when_it_says() {
        let clock = held_up();
        let at = Tick::at_or_after(clock.nanos_until(now()) + 1);
        while now() < clock.begin(at) {}
        assert!(clock.tick() >= at);
        assert_eq!(clock.left(at), Duration::ZERO);
    }

    #[test]
    fn a_clock_that_was_put_back_stands_still() {
        let clock = Clock { lag: u64::MAX, ..Clock::new() };
        assert_eq!(clock.tick(), Tick(0));
        assert_eq!(clock.left(Tick(1)), Duration::from_nanos(Tick(1).nanos()));
    }
}
