//! Runs a world, or one for each seed of a range.

use std::any::Any;
use std::cell::Cell;
use std::env;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::driver::Driver;
use super::failure::{Failure, SHOWN};
use super::machine::Program;
use super::options::{Comparison, Order, Sim};
use super::record;
use super::world::World;
use crate::world::{self as leaf, Record};

/// One seed in so many is run twice, and the runs must not differ. The first one is.
const REPEAT_EVERY: u64 = 64;

/// Runs one world with the default options, until its script completes. Returns the script's
/// output; see [`Sim::run`].
///
/// ```
/// use std::time::Duration;
///
/// let slept = evloop::sim::run(7, async |_world| {
///     let begin = evloop::time::now();
///     evloop::time::sleep(Duration::from_secs(3600)).await;
///     evloop::time::now() - begin
/// });
/// assert_eq!(slept, Duration::from_secs(3600));
/// ```
#[track_caller]
pub fn run<'env, F, T>(seed: u64, script: F) -> T
where
    F: AsyncFnOnce(World<'env>) -> T,
{
    Sim::new(seed).run(script)
}

/// Calls `scenario` once for each seed, on as many threads as the machine has cores. In it the test
/// makes the state of a seed, sets options, and calls [`Sim::run`].
///
/// One seed in 64 is run twice: it fails if the two runs differ, since then its failures could not
/// be repeated. The message shows the first event that differs. `EVLOOP_SIM_SEED=17` in the
/// environment replaces the range by that seed, and `EVLOOP_SIM_SEEDS=0..5000` by another range.
///
/// # Panics
///
/// With the panic of the lowest seed that fails.
///
/// ```
/// use evloop::sim;
///
/// sim::check(0..20, |sim| {
///     let answer = sim.run(async |world| world.client("client", async || 42).await);
///     assert_eq!(answer, 42);
/// });
/// ```
#[track_caller]
pub fn check(seeds: Range<u64>, scenario: impl Fn(&mut Sim) + Sync) {
    let seeds = chosen(seeds);
    let (next, failed) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let first: Mutex<Option<(u64, Box<dyn Any + Send>)>> = Mutex::new(None);
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let is_repeated = (seed - seeds.start) % REPEAT_EVERY == 0;
            let run = || run_seed(seed, is_repeated, &mut |sim| scenario(sim));
            let Err(panic) = catch_unwind(AssertUnwindSafe(run)) else { continue };
            // Seeds are taken in their order: each lower one has been taken, and runs to its end.
            failed.store(true, Ordering::Relaxed);
            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
            if first.as_ref().is_none_or(|(lowest, _)| seed < *lowest) {
                *first = Some((seed, panic));
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from) as u64;
    thread::scope(|scope| {
        for _ in 1..threads.min(seeds.end.saturating_sub(seeds.start)) {
            scope.spawn(work);
        }
        work();
    });
    if let Some((_, panic)) = first.into_inner().unwrap_or_else(PoisonError::into_inner) {
        resume_unwind(panic);
    }
}

/// Like [`check`], on this thread, one seed after the other: `scenario` need not be `Sync`.
#[track_caller]
pub fn check_in_turn(seeds: Range<u64>, mut scenario: impl FnMut(&mut Sim)) {
    let seeds = chosen(seeds);
    let start = seeds.start;
    for seed in seeds {
        run_seed(seed, (seed - start) % REPEAT_EVERY == 0, &mut scenario);
    }
}

/// Runs one seed, and again if it `is_repeated`: then the runs must not differ.
#[track_caller]
fn run_seed(seed: u64, is_repeated: bool, scenario: &mut dyn FnMut(&mut Sim)) {
    let mut sim = Sim::new(seed);
    if is_repeated {
        sim.comparison = Comparison::First(Vec::new());
    }
    scenario(&mut sim);
    let Comparison::First(traces) = sim.comparison else { return };
    let mut sim = Sim::new(seed);
    sim.comparison = Comparison::Second(traces.into_iter());
    scenario(&mut sim);
    let Comparison::Second(rest) = sim.comparison else { return };
    assert!(
        rest.len() == 0,
        "the test of seed {seed} ran {} worlds less when it was repeated",
        rest.len()
    );
}

/// Returns the seeds that the environment names, or else `seeds`.
#[track_caller]
fn chosen(seeds: Range<u64>) -> Range<u64> {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let variable = |name| env::var_os(name).map(|text| text.to_string_lossy().into_owned());
    if let Some(text) = variable("EVLOOP_SIM_SEED") {
        let seed = number(&text).and_then(|seed| Some(seed..seed.checked_add(1)?));
        return seed.unwrap_or_else(|| {
            panic!("EVLOOP_SIM_SEED is {text:?}: it must be a number from 0 to 2^64 - 2")
        });
    }
    let Some(text) = variable("EVLOOP_SIM_SEEDS") else { return seeds };
    let range = text.split_once("..").and_then(|(a, b)| Some(number(a)?..number(b)?));
    // An empty range would run nothing, and succeed.
    range.filter(|range| !range.is_empty()).unwrap_or_else(|| {
        panic!("EVLOOP_SIM_SEEDS is {text:?}: it must be a range like 0..5000, and not empty")
    })
}

impl Sim {
    /// Runs a world until its script completes. Returns the script's output.
    ///
    /// The script runs on a host of its own, `world`, with the true time of the world. It makes the
    /// other hosts by [`World::host`] and [`World::client`]. What was made before this call may be
    /// borrowed by their programs. When the script completes, the hosts end, in the order in which
    /// they were made.
    ///
    /// # Panics
    ///
    /// If the run fails; see the [module](crate::sim). If the thread is in a world already.
    #[track_caller]
    pub fn run<'env, F, T>(&mut self, script: F) -> T
    where
        F: AsyncFnOnce(World<'env>) -> T,
    {
        assert!(leaf::current().is_none(), "a world cannot be run inside of another one");
        let leaf = leaf::World::new(self.seed, self.options.network);
        leaf.set_record(self.record());
        leaf.set_seeded(self.options.order == Order::Seeded);
        let entered = leaf.enter();
        let driver = Driver::new(leaf.clone(), self.seed, self.options);
        let output = Rc::new(Cell::new(None));
        let id = driver.add("world", None);
        driver.start(id, None);
        let (world, result) = (World::of(&driver), output.clone());
        let mut program: Program<'_> =
            Box::pin(async move { result.set(Some(script(world).await)) });
        let outcome = driver.drive(&mut program);
        // Before the hosts end, which adds events.
        let events = outcome.is_err().then(|| leaf.trace().tail(SHOWN));
        driver.close(program);
        let failure = outcome.err().or_else(|| driver.failure.take());
        self.trace = Rc::new(leaf.trace());
        if let Comparison::First(traces) = &mut self.comparison {
            traces.push(self.trace.clone());
        }
        let difference =
            leaf.difference().map(|difference| Failure::of_world(difference.to_string()));
        let report = difference.or(failure).map(|failure| {
            let (nanos, turns) = (leaf.nanos(), driver.turns());
            let events = events.unwrap_or_else(|| self.trace.tail(SHOWN));
            failure.report(nanos, turns, self.seed, &self.options, &events)
                + &record::write(&self.trace)
        });
        leaf.set_host(None);
        drop((driver, entered));
        match report {
            Some(report) => panic!("{report}"),
            None => output.take().expect("a script that has completed has an output"),
        }
    }

    /// Returns the record of the next run.
    fn record(&mut self) -> Record {
        let record = Record::new(self.options.trace_limit);
        match &mut self.comparison {
            Comparison::None => record,
            Comparison::First(_) => record.first_of_two(),
            Comparison::Second(traces) => match traces.next() {
                Some(first) => record.second_after(first),
                None => panic!("the test of seed {} runs more worlds when repeated", self.seed),
            },
        }
    }
}
