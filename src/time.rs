//! L4: sleeping, time limits, and things that happen at intervals.
//!
//! Deadlines are [`std::time::Instant`]s. A timer is never early. If the loop is idle, a wait of
//! less than 10 ms ends some tens of microseconds late on Linux (up to 66 by the loop's ticks);
//! longer ones, and those elsewhere, up to a millisecond.

mod interval;
mod sleep;
mod timeout;
mod timeout_scope;

pub use self::interval::{Interval, MissedTick, interval, interval_at};
pub use self::sleep::{Sleep, now, sleep, sleep_until};
pub use self::timeout::{Elapsed, timeout, timeout_at};
pub use self::timeout_scope::{TimeoutScope, timeout_scope};
