//! The same by std's `Instant`, where its clock is another in each system.

use std::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(super) struct Monotonic {
    origin: Instant,
}

impl Monotonic {
    pub(super) fn new() -> Monotonic {
        Monotonic { origin: super::now() }
    }

    pub(super) fn nanos(&self) -> u64 {
        super::nanos(super::now().saturating_duration_since(self.origin))
    }
}

/// The thread's first reading is zero: std tells no number.
pub(super) fn coarse_nanos() -> u64 {
    thread_local!(static ORIGIN: Monotonic = Monotonic::new());
    ORIGIN.with(Monotonic::nanos)
}
