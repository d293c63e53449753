//! The system's monotonic clock, as a number of nanoseconds.
//!
//! On Linux it is the clock of std's `Instant`, which keeps its number to itself: to have it from
//! the difference of two takes longer than to read the clock.

use rustix::time::{ClockId, clock_gettime};

/// Counts nanoseconds from when it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Monotonic {
    origin: u64,
}

impl Monotonic {
    pub(super) fn new() -> Monotonic {
        Monotonic { origin: nanos() }
    }

    /// Zero, if the system's clock was put back to before it.
    pub(super) fn nanos(&self) -> u64 {
        nanos().saturating_sub(self.origin)
    }
}

/// As of the last tick of the kernel: this reads a word of memory that the kernel shares.
pub(super) fn coarse_nanos() -> u64 {
    read(ClockId::MonotonicCoarse)
}

fn nanos() -> u64 {
    read(ClockId::Monotonic)
}

/// Since the system was started: 64 bits hold five centuries.
fn read(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_put_back_is_at_its_begin() {
        assert_eq!(Monotonic { origin: u64::MAX }.nanos(), 0);
    }
}
