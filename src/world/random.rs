//! Random numbers of a seed: independent streams, the same on every platform.
//!
//! The generator is SplitMix64 (Steele, Lea, Flood, 2014). Floating-point numbers pass through
//! operations that IEEE 754 fixes to the bit, so no platform computes others.

/// The golden ratio, an odd number whose multiples spread over all bits.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The independent streams of random numbers of one seed. A change of what one stream is used for
/// changes no number of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// The latency of packets. Each packet draws one number, also one that is lost.
    Network,
    /// The order of ready tasks.
    Tasks,
    /// The random numbers of the hosts' programs.
    Program,
    /// Those of the script, which chooses the faults.
    Faults,
    /// Which packets are lost, duplicated or reordered.
    Loss,
    /// The sizes of reads and writes.
    Sizes,
    /// The order of runnable hosts.
    Hosts,
}

/// The number of streams. `Hosts` is the last.
pub(crate) const STREAMS: usize = Stream::Hosts as usize + 1;

/// One stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64, stream: u64) -> Random {
        Random(hash(seed, stream))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Returns a number below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // The high half of the product: its bias is below one in 2^32 for any count of a world.
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// Returns `true` with the probability `chance`. A chance of zero draws no number.
    pub(crate) fn chance(&mut self, chance: f64) -> bool {
        chance > 0.0 && ((self.next() >> 11) as f64) < chance * (1_u64 << 53) as f64
    }

    /// Returns a number of the exponential distribution with this mean.
    pub(crate) fn exponential(&mut self, mean: u64) -> u64 {
        (negative_logarithm(self.next() | 1) * mean as f64) as u64
    }
}

/// Returns -ln(bits / 2^64). The standard library's `ln` differs between platforms.
fn negative_logarithm(bits: u64) -> f64 {
    let zeros = bits.leading_zeros();
    let mantissa = (bits << zeros) as f64 / (1_u64 << 63) as f64;
    // ln(m) = 2 artanh((m - 1) / (m + 1)), by its series.
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let (square, mut power, mut sum) = (ratio * ratio, ratio, 0.0);
    for odd in [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0] {
        sum += power / odd;
        power *= square;
    }
    f64::from(zeros + 1) * std::f64::consts::LN_2 - 2.0 * sum
}

/// Returns a hash of two numbers.
pub(crate) fn hash(one: u64, other: u64) -> u64 {
    mix(mix(one.wrapping_add(GOLDEN)) ^ other.wrapping_mul(GOLDEN))
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_a_seed_differ_and_repeat() {
        let draw = |seed, stream| {
            let mut random = Random::new(seed, stream);
            [random.next(), random.next()]
        };
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
        // The published first numbers of the generator with the state 0.
        let mut random = Random(0);
        assert_eq!(random.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.next(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn numbers_are_spread_evenly() {
        let mut random = Random::new(7, 0);
        let mut counts = [0; 10];
        for _ in 0..10_000 {
            counts[random.below(10) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
        let hits = (0..10_000).filter(|_| random.chance(0.25)).count();
        assert!((2_400..2_600).contains(&hits), "{hits}");
        let before = random.0;
        assert!(!random.chance(0.0));
        assert_eq!(random.0, before);
    }

    #[test]
    fn exponential_numbers_have_their_mean() {
        let mut random = Random::new(3, 0);
        let sum: u64 = (0..10_000).map(|_| random.exponential(1_000)).sum();
        assert!((9_700_000..10_300_000).contains(&sum), "{sum}");
        let is_near = |bits, halvings: f64| {
            let expected = halvings * std::f64::consts::LN_2;
            (negative_logarithm(bits) - expected).abs() < 1e-6
        };
        assert!(is_near(1 << 63, 1.0) && is_near(1, 64.0));
    }
}
