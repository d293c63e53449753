//! Random programs: the guarantees hold for all combinations of tasks, scopes, timeouts, channels,
//! threads and destructors, and for any number of loops on a thread.
//!
//! A program is generated from a seed. The test checks: all values and futures are dropped; no
//! future is polled after its end; `task::current` and task-locals belong to the running task;
//! every handle completes, with the end of its task; every wait ends within some turns after its
//! event has happened, and every timeout within some turns after its deadline; `block_on` returns
//! or panics as its future does. A failure prints the seed and the shortest program that still
//! fails.
//!
//! `EVLOOP_PROGRAMS=N` runs N programs, `EVLOOP_SEED=S` one.

#[allow(unreachable_pub)]
mod programs {
    pub mod census;
    pub mod cx;
    pub mod drive;
    pub mod generate;
    pub mod handle;
    pub mod helper;
    pub mod left;
    pub mod limit;
    pub mod program;
    pub mod run;
    pub mod scopes;
    pub mod shared;
    pub mod shrink;
    pub mod spawn;
    pub mod talk;
    pub mod wait;
    pub mod wakes;
    pub mod world;
}

use std::env;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use programs::program::Program;
use programs::{drive::drive, generate, shrink::shrink};

/// The number of programs in one run of the test.
const PROGRAMS: u64 = 2000;
/// The time after which a program counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn random_programs_keep_all_guarantees() {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("EVLOOP_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("EVLOOP_PROGRAMS").unwrap_or(PROGRAMS),
    };
    let seed_now: &AtomicU64 = Box::leak(Box::new(AtomicU64::new(seeds.start)));
    thread::spawn(|| watch(seed_now));
    for seed in seeds {
        seed_now.store(seed, Ordering::SeqCst);
        let program = generate::program(seed);
        let complaints = drive(&program);
        if !complaints.is_empty() {
            fail(seed, program, &complaints);
        }
    }
}

fn fail(seed: u64, program: Program, complaints: &[String]) -> ! {
    let shortest = shrink(program, |program| !drive(program).is_empty());
    let mut report = format!("EVLOOP_SEED={seed} fails: {complaints:#?}\n");
    writeln!(report, "the shortest program that still fails: {shortest:#?}").unwrap();
    writeln!(report, "its violations: {:#?}", drive(&shortest)).unwrap();
    panic!("{report}");
}

/// Ends the process when a program hangs.
fn watch(seed_now: &AtomicU64) {
    loop {
        let seed = seed_now.load(Ordering::SeqCst);
        let mut waited = Duration::ZERO;
        while seed_now.load(Ordering::SeqCst) == seed {
            thread::sleep(Duration::from_millis(100));
            waited += Duration::from_millis(100);
            if waited > PATIENCE {
                // The test captures what `eprintln` prints, also from this thread.
                let text = format!("EVLOOP_SEED={seed} hangs: {:#?}\n", generate::program(seed));
                let _ = io::stderr().write_all(text.as_bytes());
                process::abort();
            }
        }
    }
}
