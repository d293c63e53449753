//! L0: the one place that reads the time.
//!
//! A loop counts in *ticks* of 1,024 ns from its own origin, so that the timers are plain integers
//! and never see an [`Instant`]. Invariant: a deadline rounds up to a tick and the present rounds
//! down, hence a timer that fires on ticks is never early.

use std::time::{Duration, Instant};

/// Nanoseconds of a tick, as a power of two: finer than any sleep can be kept, coarse enough that
/// the wheel needs nine levels for five centuries.
const TICK_SHIFT: u32 = 10;

/// What stands in for a deadline too far away for the platform's `Instant`: 136 years.
const FAR: Duration = Duration::from_secs(1 << 32);

/// A point in time of one loop, in units of 1,024 ns since the loop was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(pub(crate) u64);

/// The clock of one loop: monotonic, and the place where a simulated one would go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// Tick zero.
    origin: Instant,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock { origin: now() }
    }

    pub(crate) fn now(&self) -> Instant {
        now()
    }

    /// The present, rounded down to a tick.
    pub(crate) fn tick(&self) -> Tick {
        Tick(self.nanos_until(self.now()) >> TICK_SHIFT)
    }

    /// Nanoseconds from the origin to `at`: zero if it is earlier, `u64::MAX` five centuries on.
    pub(crate) fn nanos_until(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.origin);
        since.as_secs().saturating_mul(1_000_000_000).saturating_add(since.subsec_nanos().into())
    }

    /// The time left from `now` until the tick `at` begins.
    pub(crate) fn left(&self, at: Tick, now: Instant) -> Duration {
        let at = at.0.saturating_mul(1 << TICK_SHIFT);
        Duration::from_nanos(at.saturating_sub(self.nanos_until(now)))
    }

    /// The instant at which the tick `at` begins.
    pub(crate) fn instant(&self, at: Tick) -> Instant {
        add(self.origin, Duration::from_nanos(at.0.saturating_mul(1 << TICK_SHIFT)))
    }
}

impl Tick {
    /// The last tick of the 54 bits that 64 bits of nanoseconds leave.
    const MAX: Tick = Tick((1 << (u64::BITS - TICK_SHIFT)) - 1);

    /// The first tick that begins at or after `nanos` from the origin.
    pub(crate) fn at_or_after(nanos: u64) -> Tick {
        Tick(nanos.div_ceil(1 << TICK_SHIFT)).min(Tick::MAX)
    }
}

/// The present of the world outside of any loop.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// `at + d`, or a century on where the platform's `Instant` cannot say it.
pub(crate) fn add(at: Instant, d: Duration) -> Instant {
    at.checked_add(d).unwrap_or_else(|| at + FAR)
}
