//! What a loop shows to the thread that watches it: which task runs, since when the turn runs.
//!
//! The loop writes plain atomics and never waits; the watching thread reads them while the loop is
//! stuck. Each value is right on its own. Two values belong together if neither the count of polls
//! nor the count of turns has changed between two reads. Invariant: only the loop's thread writes
//! the values.

use std::cell::Cell;
use std::env;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

pub(crate) use super::recording::Buffer;
use super::recording::{Event, Recording};
use crate::clock;
use crate::current::TaskId;
use crate::current::debug::shown;
use crate::sys::{Monotonic, thread_number};

/// The environment variable that lets other processes look at the loops if it is 1.
const VARIABLE: &str = "EVLOOP_INSPECT";

/// The number of classes of times: class `n` has the turns, or polls, of less than `2^n`
/// microseconds, and the last one all that are longer.
pub(crate) const LAG_CLASSES: usize = 24;

/// The places at which tasks were spawned, in the order of their addresses: for all loops, since a
/// place is never freed.
static PLACES: RwLock<Vec<Place>> = RwLock::new(Vec::new());

/// A line of code.
pub(crate) type Place = &'static Location<'static>;

/// What the loop does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nobody runs the loop: it is between two calls of `block_on`, `run` or `turn`.
    Outside,
    /// It waits for events.
    Waiting,
    /// It runs tasks, timers and calls.
    Turn,
}

/// The values that one loop writes.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Beacon {
    /// The number of the running task. 0: none.
    task: AtomicU64,
    /// The address of the place that spawned it.
    place: AtomicUsize,
    polls: AtomicUsize,
    /// Bits: what a poll does beyond the three values above. 0 as a rule.
    extras: AtomicU8,
    phase: AtomicU8,
    turns: AtomicUsize,
    /// The begin of the turn, in nanoseconds of `clock`; of the phase, if turns are timed.
    began: AtomicU64,
    /// Written by the watching thread: until then the turns are timed exactly.
    timed_until: AtomicU64,
    /// The times of the timed turns, in nanoseconds.
    waited: AtomicU64,
    busy: AtomicU64,
    lags: [AtomicU32; LAG_CLASSES],
    clock: Monotonic,
    /// The system's number of the loop's thread, where it has one.
    pub(crate) thread: Option<u32>,
    pub(crate) settings: Watch,
    names: Mutex<Vec<Names>>,
    pub(crate) recording: Recording,
}

/// What the watching thread does for a loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watch {
    /// It answers questions of other processes about it.
    pub(crate) is_listening: bool,
    /// It reports a task that holds the loop for longer.
    pub(crate) limit: Option<Duration>,
}

/// Hooks of instruments or of debug mode are called around each poll.
const HAS_HOOKS: u8 = 1;
/// Each poll is recorded with its times.
const IS_RECORDED: u8 = 2;

/// The names of some tasks, by their numbers.
type Names = Vec<(u64, Arc<str>)>;

/// The number of lists of names: with 100,000 named tasks each list has 400.
const NAMES: usize = 256;

/// A copy of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) phase: Phase,
    pub(crate) task: Option<u64>,
    pub(crate) place: Option<Place>,
    pub(crate) polls: usize,
    pub(crate) turns: usize,
    /// The begin of the turn, on the clock of [`clock::shared`]; of the phase, if nobody runs the
    /// loop.
    pub(crate) began: u64,
}

/// The times of the timed turns, in nanoseconds.
pub(crate) struct Times {
    pub(crate) waited: u64,
    pub(crate) busy: u64,
    pub(crate) lags: [u32; LAG_CLASSES],
}

/// The addresses of places that are known to be in `PLACES`: each at an index that its address
/// determines. Only one loop uses it.
#[derive(Debug)]
pub(crate) struct KnownPlaces([Cell<usize>; KNOWN]);

const KNOWN: usize = 64;

/// Shows the outer task again when it is dropped.
#[must_use = "dropping it shows the outer task"]
pub(crate) struct Shown<'a> {
    beacon: &'a Beacon,
    task: u64,
    place: usize,
}

impl Watch {
    /// Returns what the environment of the process asks for.
    pub(crate) fn of_environment() -> Watch {
        let is_listening = env::var_os(VARIABLE).is_some_and(|value| value == "1");
        Watch { is_listening, limit: None }
    }

    /// Returns whether the loop records which tasks hold a lock, and which wait for it.
    pub(crate) fn records_locks(self) -> bool {
        self.is_listening
    }

    pub(crate) fn is_on(self) -> bool {
        self.is_listening || self.limit.is_some()
    }
}

impl Beacon {
    /// Makes the beacon of a loop of this thread.
    pub(crate) fn new(settings: Watch) -> Beacon {
        Beacon {
            task: AtomicU64::new(0),
            place: AtomicUsize::new(0),
            polls: AtomicUsize::new(0),
            extras: AtomicU8::new(0),
            phase: AtomicU8::new(Phase::Outside as u8),
            turns: AtomicUsize::new(0),
            began: AtomicU64::new(0),
            timed_until: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            lags: [const { AtomicU32::new(0) }; LAG_CLASSES],
            clock: clock::shared(),
            thread: settings.is_on().then(thread_number).flatten(),
            settings,
            names: Mutex::new(vec![Names::new(); NAMES]),
            recording: Recording::default(),
        }
    }

    /// Shows the task whose poll begins.
    #[inline]
    pub(crate) fn begin_poll(&self, task: TaskId, place: Place) {
        self.show(task.number(), ptr::from_ref(place).addr());
        self.polls.store(self.polls.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Shows that no task runs.
    pub(crate) fn clear(&self) {
        self.show(0, 0);
    }

    fn show(&self, task: u64, place: usize) {
        self.task.store(task, Relaxed);
        self.place.store(place, Relaxed);
    }

    /// Returns a guard for a task that is polled inside another one.
    pub(crate) fn save(&self) -> Shown<'_> {
        Shown { beacon: self, task: self.task.load(Relaxed), place: self.place.load(Relaxed) }
    }

    /// Returns whether a poll does no more than to be shown.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.extras.load(Relaxed) == 0
    }

    /// Sets that hooks are called around each poll.
    pub(crate) fn set_hooks(&self) {
        self.extras.fetch_or(HAS_HOOKS, Relaxed);
    }

    /// Returns the present time, and what is shown, if polls are recorded.
    pub(crate) fn recorded(&self) -> Option<(u64, u64, usize)> {
        let is_recorded = self.extras.load(Relaxed) & IS_RECORDED != 0;
        is_recorded.then(|| (self.now(), self.task.load(Relaxed), self.place.load(Relaxed)))
    }

    /// Called by the watching thread: sets whether each poll is recorded.
    pub(crate) fn set_recorded(&self, is_recorded: bool) {
        match is_recorded {
            true => self.extras.fetch_or(IS_RECORDED, Relaxed),
            false => self.extras.fetch_and(!IS_RECORDED, Relaxed),
        };
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.nanos()
    }

    /// Begins a turn.
    pub(crate) fn begin_turn(&self) {
        let now = self.end_phase();
        self.turns.store(self.turns.load(Relaxed).wrapping_add(1), Relaxed);
        self.began.store(now, Relaxed);
        self.phase.store(Phase::Turn as u8, Relaxed);
    }

    /// Records what the loop has done since `begin`.
    pub(crate) fn record(&self, buffer: &Buffer, begin: u64, task: u64, place: usize) {
        buffer.push(Event { task, place, begin, end: self.now() }, &self.recording);
    }

    /// Begins the wait of a turn: hands what is recorded on. Reads no clock unless the turns are
    /// timed.
    pub(crate) fn begin_wait(&self, buffer: &Buffer) {
        buffer.flush(&self.recording);
        if self.is_timed() {
            let now = self.end_phase();
            self.began.store(now, Relaxed);
        }
        self.phase.store(Phase::Waiting as u8, Relaxed);
    }

    /// Shows that nobody runs the loop.
    pub(crate) fn leave(&self) {
        let now = self.end_phase();
        self.began.store(now, Relaxed);
        self.phase.store(Phase::Outside as u8, Relaxed);
    }

    fn is_timed(&self) -> bool {
        self.began.load(Relaxed) < self.timed_until.load(Relaxed)
    }

    /// Returns the present time. Without exact times the time of the kernel's last tick is enough:
    /// reading it takes a fifth of the time.
    fn end_phase(&self) -> u64 {
        if !self.is_timed() {
            return self.clock.coarse_nanos();
        }
        let now = self.now();
        let took = now.saturating_sub(self.began.load(Relaxed));
        match Phase::of(self.phase.load(Relaxed)) {
            Phase::Outside => {}
            Phase::Waiting => self.waited.store(self.waited.load(Relaxed) + took, Relaxed),
            Phase::Turn => {
                self.busy.store(self.busy.load(Relaxed) + took, Relaxed);
                let lag = &self.lags[class(took)];
                lag.store(lag.load(Relaxed).wrapping_add(1), Relaxed);
            }
        }
        now
    }

    /// Called by the watching thread: has the loop measure its turns for the next `time`
    /// nanoseconds.
    pub(crate) fn measure(&self, time: u64) {
        self.timed_until.store(self.now().saturating_add(time), Relaxed);
    }

    /// Returns a copy of the values. Tries to return values that belong together.
    pub(crate) fn view(&self) -> View {
        let mut view = self.read();
        for _ in 0..4 {
            let again = self.read();
            if again == view {
                break;
            }
            view = again;
        }
        view
    }

    fn read(&self) -> View {
        let task = self.task.load(Relaxed);
        View {
            phase: Phase::of(self.phase.load(Relaxed)),
            task: (task != 0).then_some(task),
            place: place(self.place.load(Relaxed)),
            polls: self.polls.load(Relaxed),
            turns: self.turns.load(Relaxed),
            began: self.began.load(Relaxed),
        }
    }

    /// Returns the times of the timed turns that have ended.
    pub(crate) fn times(&self) -> Times {
        Times {
            waited: self.waited.load(Relaxed),
            busy: self.busy.load(Relaxed),
            lags: std::array::from_fn(|class| self.lags[class].load(Relaxed)),
        }
    }

    pub(crate) fn name(&self, task: u64) -> Option<Arc<str>> {
        let names = self.names();
        let found = names[index(task)].iter().find(|(of, _)| *of == task);
        found.map(|(_, name)| name.clone())
    }

    /// Shows the name of a task. Does nothing if no thread watches the loop.
    pub(crate) fn set_name(&self, task: TaskId, name: &str) {
        if self.settings.is_on() {
            self.remove_name(task);
            self.names()[index(task.number())].push((task.number(), shown(name).into()));
        }
    }

    pub(crate) fn remove_name(&self, task: TaskId) {
        if self.settings.is_on() {
            self.names()[index(task.number())].retain(|(of, _)| *of != task.number());
        }
    }

    fn names(&self) -> MutexGuard<'_, Vec<Names>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Phase {
    fn of(phase: u8) -> Phase {
        [Phase::Outside, Phase::Waiting, Phase::Turn][usize::from(phase.min(2))]
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.beacon.show(self.task, self.place);
    }
}

impl KnownPlaces {
    pub(crate) fn new() -> KnownPlaces {
        KnownPlaces([const { Cell::new(0) }; KNOWN])
    }

    /// Makes a place known to [`place`]: the beacon may show its address.
    pub(crate) fn add(&self, place: Place) {
        let address = ptr::from_ref(place).addr();
        // Places lie side by side.
        let known = &self.0[address / size_of::<Location<'_>>() % KNOWN];
        if known.replace(address) != address {
            let mut places = PLACES.write().unwrap_or_else(PoisonError::into_inner);
            if let Err(index) = find(&places, address) {
                places.insert(index, place);
            }
        }
    }
}

/// Returns the class of a time in nanoseconds.
pub(crate) fn class(nanos: u64) -> usize {
    let class = u64::BITS - (nanos / 1000).leading_zeros();
    (class as usize).min(LAG_CLASSES - 1)
}

/// Returns the list in which the name of a task is.
fn index(task: u64) -> usize {
    task as usize % NAMES
}

/// Returns the known place at an address.
pub(crate) fn place(address: usize) -> Option<Place> {
    let places = PLACES.read().unwrap_or_else(PoisonError::into_inner);
    Some(places[find(&places, address).ok()?])
}

fn find(places: &[Place], address: usize) -> Result<usize, usize> {
    places.binary_search_by_key(&address, |place| ptr::from_ref(*place).addr())
}
