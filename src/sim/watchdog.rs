//! Aborts the process when a turn of a host does not return.
//!
//! Nothing can stop code that never returns, and a test that hangs says nothing. One thread of the
//! process looks once a second at all worlds that run. Invariant: it reads only what is shared.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

use crate::world::HostId;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The worlds that run in this process.
static RUNNING: Mutex<Vec<Arc<Beat>>> = Mutex::new(Vec::new());

/// A world that the watchdog looks at until it ends, or until this is dropped.
pub(super) struct Watched(Arc<Beat>);

/// What the watchdog knows of a world.
struct Beat {
    seed: u64,
    /// In looks of the watchdog.
    limit: u64,
    turns: AtomicU64,
    /// Of the last turn that has begun.
    host: AtomicU64,
    nanos: AtomicU64,
    names: Mutex<Vec<Box<str>>>,
}

impl Watched {
    pub(super) fn new(seed: u64, limit: Duration) -> Watched {
        static STARTED: Once = Once::new();
        // Without a thread there is no watchdog: the world runs all the same.
        STARTED.call_once(|| _ = thread::Builder::new().name("evloop-sim".into()).spawn(watch));
        let beat = Arc::new(Beat {
            seed,
            limit: limit.as_secs().max(1),
            turns: AtomicU64::new(0),
            host: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
            names: Mutex::default(),
        });
        lock(&RUNNING).push(beat.clone());
        Watched(beat)
    }

    pub(super) fn add_host(&self, name: &str) {
        lock(&self.0.names).push(name.into());
    }

    /// The world runs no turn any more.
    pub(super) fn end(&self) {
        lock(&RUNNING).retain(|beat| !Arc::ptr_eq(beat, &self.0));
    }

    /// A host begins a turn at `nanos` of virtual time.
    pub(super) fn begin_turn(&self, host: HostId, nanos: u64) {
        let Beat { turns, .. } = &*self.0;
        self.0.host.store(host.0.into(), Ordering::Relaxed);
        self.0.nanos.store(nanos, Ordering::Relaxed);
        // This thread alone writes it.
        turns.store(turns.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.end();
    }
}

/// The main function of the watchdog's thread.
fn watch() {
    // The worlds, each with its turn at the last look and the number of looks at that turn.
    let mut seen: Vec<(Arc<Beat>, u64, u64)> = Vec::new();
    loop {
        thread::sleep(LOOK_EVERY);
        let running = lock(&RUNNING).clone();
        let looked = running.into_iter().map(|beat| {
            let turns = beat.turns.load(Ordering::Relaxed);
            let before = seen.iter().find(|(other, ..)| Arc::ptr_eq(other, &beat));
            let looks =
                before.filter(|(_, old, _)| *old == turns).map_or(0, |(.., looks)| looks + 1);
            (beat, turns, looks)
        });
        seen = looked.collect();
        if let Some((beat, ..)) = seen.iter().find(|(beat, _, looks)| *looks > beat.limit) {
            beat.abort();
        }
    }
}

impl Beat {
    fn abort(&self) -> ! {
        let names = lock(&self.names);
        let host = names.get(self.host.load(Ordering::Relaxed) as usize);
        let time = Duration::from_nanos(self.nanos.load(Ordering::Relaxed));
        // Not by `eprintln`: a test's thread captures that, and it would be lost.
        let _ = writeln!(
            io::stderr(),
            "a turn of the host `{}` has not returned for {} s (raise it by Sim::poll_limit): it \
             began at {time:?} of virtual time, seed {}. Does it block, or loop without an await? \
             The process is aborted.",
            host.map_or("?", |name| name),
            self.limit,
            self.seed
        );
        std::process::abort()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
