//! L0: the one place that reads the time.
//!
//! A loop counts nanoseconds from its own origin in *ticks* of 66 us, so that timers are plain
//! integers and need no [`Instant`]. Invariant: a deadline is rounded up to a tick, and the current
//! time is rounded down. Hence a timer that fires on ticks is never early.
//!
//! In a simulated world the time is that of the host whose code runs, and a tick is a nanosecond:
//! a sleep of a millisecond takes exactly that.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use crate::sys::{self, Monotonic};
use crate::world::{self, Here};

/// The length of a tick in nanoseconds, a power of two: 66 us. Deadlines within a tick share one
/// wait of the loop, and may be late by a tick; the timer slack of Linux is about as long.
const TICK: u64 = 1 << 16;

/// The system time at the start of a simulated world: 2001-09-09 01:46:40 UTC.
const EPOCH: Duration = Duration::from_secs(1_000_000_000);

/// The delay that replaces one too long for the platform's `Instant`: 136 years.
const FAR_FUTURE: Duration = Duration::from_secs(1 << 32);

/// The begin of a tick of one loop, in nanoseconds since the origin of its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(u64);

/// The monotonic clock of one loop.
///
/// The offset between the two scales, [`Instant`] and `Monotonic`, is known only up to the time
/// between two readings: `lag`. So the current time is rounded up to compute a deadline, and
/// rounded down to fire one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// Started before `origin` was read.
    counter: Counter,
    /// The time of tick zero.
    origin: Instant,
    /// The value of `counter` after `origin` was read.
    lag: u64,
}

/// The source of a clock's nanoseconds.
#[derive(Clone, Copy, Debug)]
enum Counter {
    System(Monotonic),
    /// Counts from the start of the world.
    World(Here),
}

/// Returns the earlier one of two deadlines, or the shorter one of two limits.
pub(crate) fn earlier<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl Clock {
    pub(crate) fn new() -> Clock {
        if let Some(here) = world::here() {
            return Clock { counter: Counter::World(here), origin: world_base(), lag: 0 };
        }
        let monotonic = Monotonic::new();
        Clock::of(monotonic, now())
    }

    /// Makes a clock. `monotonic` must have been started before `origin` was read.
    fn of(monotonic: Monotonic, origin: Instant) -> Clock {
        Clock { counter: Counter::System(monotonic), origin, lag: monotonic.nanos() }
    }

    pub(crate) fn now(&self) -> Instant {
        now()
    }

    /// Returns the current time in nanoseconds since the origin, rounded up: to compute deadlines.
    pub(crate) fn nanos(&self) -> u64 {
        match &self.counter {
            Counter::System(monotonic) => monotonic.nanos(),
            Counter::World(here) => here.nanos(),
        }
    }

    /// Returns the length of a tick, a power of two.
    fn tick_nanos(&self) -> u64 {
        match self.counter {
            Counter::System(_) => TICK,
            Counter::World(_) => 1,
        }
    }

    /// Returns the nanoseconds since the origin, rounded down: to fire deadlines. 0 if the system's
    /// clock was set back before the origin, as when a frozen process resumes on another machine.
    fn elapsed(&self) -> u64 {
        self.nanos().saturating_sub(self.lag)
    }

    /// Returns the current time, rounded down to a tick.
    pub(crate) fn tick(&self) -> Tick {
        Tick(self.elapsed() & !(self.tick_nanos() - 1))
    }

    /// Returns the first tick that begins at or after `nanos` from the origin, or the last tick.
    pub(crate) fn tick_at_or_after(&self, nanos: u64) -> Tick {
        let rest = self.tick_nanos() - 1;
        Tick(nanos.saturating_add(rest) & !rest)
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
        self.0
    }
}

/// Returns a duration in nanoseconds, at most `u64::MAX` (five centuries).
pub(crate) fn nanos(d: Duration) -> u64 {
    d.as_secs().saturating_mul(1_000_000_000).saturating_add(d.subsec_nanos().into())
}

/// Returns the current time. All code of the crate reads the time through this module.
pub(crate) fn now() -> Instant {
    match world::here() {
        None => Instant::now(),
        Some(here) => add(world_base(), Duration::from_nanos(here.nanos())),
    }
}

/// Returns the current time of day.
pub(crate) fn system_now() -> SystemTime {
    match world::here() {
        None => SystemTime::now(),
        Some(here) => here.system_time(SystemTime::UNIX_EPOCH + EPOCH),
    }
}

/// Returns the nanoseconds of the system's cheapest clock, which advances every 1 to 4 ms. The time
/// of a world does not pass during a turn.
pub(crate) fn coarse_nanos() -> u64 {
    world::here().map_or_else(sys::coarse_nanos, Here::nanos)
}

/// Returns the instant that stands for the start of every simulated world of the process. Its own
/// value is arbitrary: a program sees only differences.
#[cold]
fn world_base() -> Instant {
    static BASE: OnceLock<Instant> = OnceLock::new();
    *BASE.get_or_init(Instant::now)
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
        let at = clock.tick_at_or_after(clock.nanos_until(now()) + 1);
        while now() < clock.begin(at) {}
        assert!(clock.tick() >= at);
        assert_eq!(clock.left(at), Duration::ZERO);
    }

    #[test]
    fn a_clock_that_was_set_back_stays_at_zero() {
        let clock = Clock { lag: u64::MAX, ..Clock::new() };
        assert_eq!(clock.tick(), Tick(0));
        assert_eq!(clock.left(Tick(TICK)), Duration::from_nanos(TICK));
    }
}
