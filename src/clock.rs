//! L0: the one place that reads the time.
//!
//! A loop counts in *ticks* of 66 us from its own origin, so that the timers are plain integers
//! and never see an [`Instant`]. Invariant: a deadline rounds up to a tick and the present rounds
//! down, hence a timer that fires on ticks is never early.

use std::time::{Duration, Instant};

/// Nanoseconds of a tick, as a power of two: 66 us. Deadlines within a tick share one wait of the
/// loop, at the price of that much lateness: what the system's own timer slack takes too.
const TICK_SHIFT: u32 = 16;

/// What stands in for a deadline too far away for the platform's `Instant`: 136 years.
const FAR: Duration = Duration::from_secs(1 << 32);

/// A point in time of one loop, in units of 65,536 ns since the loop was made.
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
        Tick(self.nanos() >> TICK_SHIFT)
    }

    /// The present, in nanoseconds since the origin.
    pub(crate) fn nanos(&self) -> u64 {
        self.nanos_until(self.now())
    }

    /// Nanoseconds from the origin to `at`: zero if it is earlier, `u64::MAX` five centuries on.
    pub(crate) fn nanos_until(&self, at: Instant) -> u64 {
        nanos(at.saturating_duration_since(self.origin))
    }

    /// The time left until the tick `at` begins.
    pub(crate) fn left(&self, at: Tick) -> Duration {
        Duration::from_nanos(at.nanos().saturating_sub(self.nanos()))
    }

    /// The instant that is `nanos` after the origin.
    pub(crate) fn instant(&self, nanos: u64) -> Instant {
        add(self.origin, Duration::from_nanos(nanos))
    }
}

impl Tick {
    /// The last tick of the 48 bits that 64 bits of nanoseconds leave.
    pub(crate) const MAX: Tick = Tick((1 << (u64::BITS - TICK_SHIFT)) - 1);

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

/// `at + d`, or a century on where the platform's `Instant` cannot say it.
pub(crate) fn add(at: Instant, d: Duration) -> Instant {
    at.checked_add(d).unwrap_or_else(|| at + FAR)
}
