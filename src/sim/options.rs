//! The options of a world.

use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;
use std::vec;

use crate::clock::nanos;
use crate::world::{self as leaf, Settings, Trace};

/// The default of [`Sim::time_limit`].
const TIME_LIMIT: Duration = Duration::from_secs(24 * 3600);
/// The default of [`Sim::step_limit`].
const STEP_LIMIT: u64 = 100_000_000;
/// The default of [`Sim::poll_limit`].
const POLL_LIMIT: Duration = Duration::from_secs(60);
/// The default of [`Sim::trace_limit`].
const TRACE_LIMIT: usize = 1 << 16;
/// The largest [`Sim::trace_limit`]: a run counts its entries with 32 bits.
const TRACE_LIMIT_MAX: usize = 1 << 30;
/// The longest latency, in nanoseconds: 73 years. Sums of a few cannot overflow.
const LATENCY_MAX: u64 = u64::MAX >> 3;

/// The order in which the ready tasks of a host run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// The seed chooses the next task, and the next host after each poll. Functions that the loop
    /// calls ([`call_soon`](crate::call_soon) and its siblings) keep their order.
    #[default]
    Seeded,
    /// First in first out, as outside of a world.
    Fifo,
}

/// The distribution of the time that a packet takes from one host to another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Latency {
    /// Each packet takes the same time.
    Fixed(Duration),
    /// Each time in the range is as likely.
    Uniform(Range<Duration>),
    /// At least `min`, and then an exponentially distributed time: a few packets take long.
    Exponential {
        /// The shortest time.
        min: Duration,
        /// The mean of what is added.
        mean: Duration,
    },
}

/// The options of the worlds of one seed. [`check`](super::check()) makes one for each seed.
#[derive(Debug)]
pub struct Sim {
    pub(super) seed: u64,
    pub(super) options: Options,
    /// Of the last run.
    pub(super) trace: Rc<Trace>,
    pub(super) comparison: Comparison,
}

/// Whether the runs of a [`Sim`] are compared with those of another one of the same seed.
#[derive(Debug)]
pub(super) enum Comparison {
    None,
    /// Stores the traces of the runs.
    First(Vec<Rc<Trace>>),
    /// Compares each run with the next of these.
    Second(vec::IntoIter<Rc<Trace>>),
}

/// As they are written into the message of a failure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) network: Settings,
    pub(super) order: Order,
    pub(super) time_limit: Duration,
    pub(super) step_limit: u64,
    pub(super) poll_limit: Duration,
    pub(super) trace_limit: usize,
}

impl Sim {
    pub(super) fn new(seed: u64) -> Sim {
        let options = Options {
            network: Settings::default(),
            order: Order::default(),
            time_limit: TIME_LIMIT,
            step_limit: STEP_LIMIT,
            poll_limit: POLL_LIMIT,
            trace_limit: TRACE_LIMIT,
        };
        Sim { seed, options, trace: Rc::default(), comparison: Comparison::None }
    }

    /// Returns the seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the hash of the last run: of all its events and their times. Two runs of one seed
    /// have the same hash.
    pub fn hash(&self) -> u64 {
        self.trace.hash()
    }

    /// Returns the record of the last run. It is empty before the first one.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// evloop::sim::check(0..10, |sim| {
    ///     sim.run(async |_world| {
    ///         evloop::time::sleep(Duration::from_millis(5)).await;
    ///         evloop::sim::note("five milliseconds have passed");
    ///     });
    ///     let text = sim.trace().to_text();
    ///     assert!(text.ends_with("0.005000000  world  note: five milliseconds have passed\n"));
    /// });
    /// ```
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Sets the order in which ready tasks run. Default: [`Order::Seeded`].
    pub fn order(&mut self, order: Order) -> &mut Sim {
        self.options.order = order;
        self
    }

    /// Sets the time that a packet takes between two hosts: a fixed one, or a range. Default: 1 ms.
    /// Within a host it takes no time.
    ///
    /// # Panics
    ///
    /// If the range is empty.
    #[track_caller]
    pub fn latency(&mut self, latency: impl Into<Latency>) -> &mut Sim {
        self.options.network.latency = latency.into().to_leaf();
        self
    }

    /// Sets the probability that a packet is lost, from 0 to 1. Under TCP the loss is a delay.
    /// Default: 0.
    ///
    /// # Panics
    ///
    /// If it is no probability; so do the other functions that set one.
    #[track_caller]
    pub fn loss(&mut self, probability: f64) -> &mut Sim {
        self.options.network.loss = checked(probability);
        self
    }

    /// Sets the probability that a datagram arrives twice. Default: 0.
    #[track_caller]
    pub fn duplicate(&mut self, probability: f64) -> &mut Sim {
        self.options.network.duplicate = checked(probability);
        self
    }

    /// Sets the probability that a datagram takes longer, so that later ones overtake it. Default:
    /// 0.
    #[track_caller]
    pub fn reorder(&mut self, probability: f64) -> &mut Sim {
        self.options.network.reorder = checked(probability);
        self
    }

    /// Sets the bytes that a link carries in a second in each direction; `None`: no limit. Default:
    /// `None`.
    ///
    /// # Panics
    ///
    /// If it is 0: a link that carries nothing is a [partition](super::World::partition).
    #[track_caller]
    pub fn bandwidth(&mut self, bytes_per_second: impl Into<Option<u64>>) -> &mut Sim {
        let bandwidth = bytes_per_second.into();
        assert!(
            bandwidth != Some(0),
            "a link cannot carry 0 bytes a second: cut it by World::partition, or pass None for no \
             limit"
        );
        self.options.network.bandwidth = bandwidth;
        self
    }

    /// Sets the probability that a read or a write of a stream moves fewer bytes than it could.
    /// Default: 0.
    #[track_caller]
    pub fn short_io(&mut self, probability: f64) -> &mut Sim {
        self.options.network.short_io = checked(probability);
        self
    }

    /// Sets the virtual time after which a run fails. Default: a day.
    pub fn time_limit(&mut self, limit: Duration) -> &mut Sim {
        self.options.time_limit = limit;
        self
    }

    /// Sets the number of turns of hosts after which a run fails. Default: 100 million.
    pub fn step_limit(&mut self, turns: u64) -> &mut Sim {
        self.options.step_limit = turns;
        self
    }

    /// Sets the real time that a turn of a host may take. A turn that does not return cannot be
    /// stopped: the process is aborted, after a message that names the host. Default: a minute.
    pub fn poll_limit(&mut self, limit: Duration) -> &mut Sim {
        self.options.poll_limit = limit;
        self
    }

    /// Sets how many entries the record of a run holds: the last ones; a power of two. Default:
    /// 65,536, which take 2 MiB.
    pub fn trace_limit(&mut self, entries: usize) -> &mut Sim {
        self.options.trace_limit = entries.min(TRACE_LIMIT_MAX).next_power_of_two();
        self
    }
}

impl Latency {
    #[track_caller]
    pub(super) fn to_leaf(&self) -> leaf::Latency {
        let nanos = |time: &Duration| nanos(*time).min(LATENCY_MAX);
        match self {
            Latency::Fixed(time) => leaf::Latency::Fixed(nanos(time)),
            Latency::Uniform(times) => {
                assert!(!times.is_empty(), "the range of the latency is empty: {times:?}");
                leaf::Latency::Uniform(nanos(&times.start), nanos(&times.end))
            }
            Latency::Exponential { min, mean } => {
                leaf::Latency::Exponential { min: nanos(min), mean: nanos(mean) }
            }
        }
    }
}

/// Returns `probability`, which must be one.
#[track_caller]
pub(super) fn checked(probability: f64) -> f64 {
    assert!(
        (0.0..=1.0).contains(&probability),
        "{probability} is no probability: it must be a number from 0 to 1"
    );
    probability
}

impl From<Duration> for Latency {
    fn from(time: Duration) -> Latency {
        Latency::Fixed(time)
    }
}

impl From<Range<Duration>> for Latency {
    fn from(times: Range<Duration>) -> Latency {
        Latency::Uniform(times)
    }
}
