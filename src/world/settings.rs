//! What a test sets for a network.

use std::env;
use std::sync::OnceLock;

use super::random::Random;
use super::socket_options::SocketOptions;

/// The distribution of the time that a packet takes, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Latency {
    Fixed(u64),
    /// From the first to the second, each as likely.
    Uniform(u64, u64),
    /// At least `min`; the rest has an exponential distribution with the mean `mean`.
    Exponential {
        min: u64,
        mean: u64,
    },
}

/// What holds for all links that have no settings of their own. The default is a calm network: 1
/// ms, no loss, no short reads or writes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) latency: Latency,
    /// The chance that a packet is lost, 0.0 to 1.0. Under TCP a loss is a delay.
    pub(crate) loss: f64,
    /// The chance that a datagram arrives twice.
    pub(crate) duplicate: f64,
    /// The chance that a datagram is delayed once more, so that later ones overtake it.
    pub(crate) reorder: f64,
    /// Bytes a second of one direction of a link. `None`: no limit.
    pub(crate) bandwidth: Option<u64>,
    /// The chance that a read or write of a stream moves fewer bytes than it could.
    pub(crate) short_io: f64,
    /// The sizes of the buffers of a TCP socket, in bytes.
    pub(crate) send_buffer: usize,
    pub(crate) receive_buffer: usize,
}

impl Latency {
    /// Draws the time of one packet.
    pub(super) fn draw(self, random: &mut Random) -> u64 {
        match self {
            Latency::Fixed(nanos) => nanos,
            Latency::Uniform(min, max) if max > min => min + random.below(max - min + 1),
            Latency::Uniform(min, _) => min,
            Latency::Exponential { min, mean } => min.saturating_add(random.exponential(mean)),
        }
    }

    /// Returns a time that few packets exceed, from which a system computes its time-outs.
    pub(super) fn usual_max(self) -> u64 {
        match self {
            Latency::Fixed(nanos) => nanos,
            Latency::Uniform(min, max) => max.max(min),
            Latency::Exponential { min, mean } => min + 4 * mean,
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            latency: Latency::Fixed(1_000_000),
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            bandwidth: None,
            short_io: 0.0,
            send_buffer: 256 * 1024,
            receive_buffer: 128 * 1024,
        }
    }
}

impl Settings {
    /// Returns the options of a new TCP socket.
    pub(super) fn tcp_options(&self) -> SocketOptions {
        SocketOptions::new(self.send_buffer, self.receive_buffer)
    }
}

/// Returns the seed of worlds without a driver, if the environment names one. Looks there once.
pub(super) fn seed_of_tests() -> Option<u64> {
    static SEED: OnceLock<Option<u64>> = OnceLock::new();
    *SEED.get_or_init(|| {
        let text = env::var("EVLOOP_SIM_TESTS").ok()?;
        let seed = text.trim().parse();
        Some(seed.unwrap_or_else(|_| panic!("EVLOOP_SIM_TESTS is {text:?}: it must be a number")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_stay_within_their_bounds() {
        let mut random = Random::new(1, 0);
        let mut draw = |latency: Latency| {
            let times: Vec<_> = (0..1_000).map(|_| latency.draw(&mut random)).collect();
            (*times.iter().min().unwrap(), *times.iter().max().unwrap())
        };
        assert_eq!(draw(Latency::Fixed(5)), (5, 5));
        assert_eq!(draw(Latency::Uniform(5, 9)), (5, 9));
        assert_eq!(draw(Latency::Uniform(9, 5)), (9, 9));
        let (min, max) = draw(Latency::Exponential { min: 100, mean: 10 });
        assert!(min >= 100 && max > 130, "{min} {max}");
    }

    #[test]
    fn buffers_are_doubled_within_limits() {
        let mut options = Settings::default().tcp_options();
        let sizes = [(0, 2_304), (65_536, 131_072), (1 << 30, 425_984)];
        for (size, expected) in sizes {
            options.set_receive_buffer(size);
            assert_eq!(options.receive_buffer, expected);
        }
    }
}
