//! The clocks of a host: a monotonic one that drifts, and the wall clock, which has an offset, too.

/// A million: drift is in millionths.
const MILLION: i128 = 1_000_000;

/// Invariant: the monotonic clock never goes back, whatever the drift is set to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HostClock {
    /// The true time at which the drift was set, and the host's time then.
    since: u64,
    base: u64,
    drift_ppm: i64,
    offset: i64,
}

impl HostClock {
    /// Sets the clock at the true time `now`. The clock stands still at a drift of -1,000,000.
    pub(super) fn set(&mut self, now: u64, offset: i64, drift_ppm: i64) {
        let base = self.nanos(now);
        let drift_ppm = drift_ppm.max(-1_000_000);
        *self = HostClock { since: now, base, drift_ppm, offset };
    }

    /// Returns the monotonic time at the true time `now`.
    pub(super) fn nanos(&self, now: u64) -> u64 {
        let passed = now.saturating_sub(self.since);
        if self.drift_ppm == 0 {
            return self.base.saturating_add(passed);
        }
        let passed = i128::from(passed) * (MILLION + i128::from(self.drift_ppm)) / MILLION;
        self.base.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// Returns the wall clock at the true time `now`, in nanoseconds since the world's begin.
    pub(super) fn wall_nanos(&self, now: u64) -> i128 {
        i128::from(self.nanos(now)) + i128::from(self.offset)
    }

    /// Returns the first true time at which the monotonic clock has reached `nanos`.
    pub(super) fn true_nanos(&self, nanos: u64) -> u64 {
        if self.drift_ppm == 0 {
            return self.since.saturating_add(nanos.saturating_sub(self.base));
        }
        let left = i128::from(nanos.saturating_sub(self.base));
        let speed = MILLION + i128::from(self.drift_ppm);
        if speed == 0 && left > 0 {
            return u64::MAX;
        }
        let left = (left * MILLION + speed.max(1) - 1) / speed.max(1);
        u64::try_from(i128::from(self.since) + left).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_drifts_from_when_it_is_set() {
        let mut clock = HostClock::default();
        assert_eq!((clock.nanos(500), clock.true_nanos(500)), (500, 500));
        clock.set(1_000, -7, 100_000);
        assert_eq!((clock.nanos(1_000), clock.nanos(2_000)), (1_000, 2_100));
        assert_eq!(clock.wall_nanos(2_000), 2_093);
        clock.set(2_000, 0, -500_000);
        assert_eq!((clock.nanos(2_000), clock.nanos(4_000)), (2_100, 3_100));
    }

    #[test]
    fn a_deadline_is_never_early_on_the_clock_of_the_host() {
        for drift in [-999_999, -333_333, -7, 0, 7, 333_333] {
            let mut clock = HostClock::default();
            clock.set(10, 0, drift);
            for nanos in [0, 9, 10, 11, 1_000, 12_345] {
                let at = clock.true_nanos(nanos);
                assert!(clock.nanos(at) >= nanos);
                assert!(at <= 10 || clock.nanos(at - 1) < nanos, "{drift} {nanos}");
            }
        }
        let mut clock = HostClock::default();
        clock.set(0, 0, -2_000_000);
        assert_eq!((clock.nanos(99), clock.true_nanos(1)), (0, u64::MAX));
    }
}
