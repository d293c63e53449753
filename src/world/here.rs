//! What the other layers of the crate ask of the world around them: [`here`].
//!
//! The same functions are in `no_world.rs`, which replaces this module without the feature `sim`.
//! There [`Here`] has no values, so that each branch for a world disappears.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, SystemTime};

use super::handle::{World, is_current, with_current};
use super::hosts::HostId;
use super::random::Stream;
use super::watch::Event;

/// Set in the number of a task of a world. The host is above the ordinal.
const WORLD: u64 = 1 << 63;
const HOST_SHIFT: u32 = 40;
/// The number of task numbers that a loop takes at once: as many as outside of a world.
const BLOCK: u64 = 1 << 10;

/// The host of a simulated world whose code runs on this thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here(pub(super) HostId);

/// What happened when another thread has reached a host.
pub(crate) const INTRUSION: &str = "a host of a simulated world was woken or called from a thread \
     of the operating system, whose speed no seed repeats: use task::spawn_blocking, which runs on \
     the thread of the world, or another host";

/// The threads of worlds that another thread has reached.
static INTRUDED: Mutex<Vec<ThreadId>> = Mutex::new(Vec::new());
/// `INTRUDED` is not empty.
static IS_INTRUDED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The number of sockets that were registered with a loop.
    static REGISTRATIONS: Cell<u64> = const { Cell::new(0) };
    /// The next ordinal of each host's tasks. A restarted host continues.
    static ORDINALS: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Returns the host whose code runs on this thread, if a simulated world is current.
#[inline(always)]
pub(crate) fn here() -> Option<Here> {
    if is_current() { find() } else { None }
}

#[cold]
fn find() -> Option<Here> {
    with_current(World::host)?.map(Here)
}

/// Returns the host whose code runs on this thread, if a driver runs its turns.
#[inline(always)]
pub(crate) fn driven() -> Option<Here> {
    if is_current() { find_driven() } else { None }
}

#[cold]
fn find_driven() -> Option<Here> {
    with_current(|world| world.host().filter(|_| world.has_driver))?.map(Here)
}

/// Begins the task numbers of a new world.
pub(crate) fn reset() {
    ORDINALS.take();
    take_intrusion();
}

/// Counts a socket that has noted its token.
pub(crate) fn note_registration() {
    REGISTRATIONS.set(REGISTRATIONS.get() + 1);
}

/// Returns an error if a simulated world is current, which does not have `what`.
#[inline]
pub(crate) fn check_outside(what: &str) -> io::Result<()> {
    if is_current() { Err(unsupported(what)) } else { Ok(()) }
}

/// Returns the error of something that a world does not have.
#[cold]
pub(crate) fn unsupported(what: &str) -> io::Error {
    let sentence = format!(
        "{what} does not work in a simulated world, which has only its own sockets and pipes: use \
         those of evloop::net, or run this part of the program outside of the world"
    );
    io::Error::new(io::ErrorKind::Unsupported, sentence)
}

/// Returns the host and the ordinal of a task of a world.
pub(crate) fn ordinal(task: u64) -> Option<(u64, u64)> {
    let number = task & !WORLD;
    (task >= WORLD).then_some((number >> HOST_SHIFT, number & ((1 << HOST_SHIFT) - 1)))
}

/// Returns whether another thread has reached a host of this thread's world since the last call.
pub(crate) fn take_intrusion() -> bool {
    if !IS_INTRUDED.load(Ordering::Relaxed) {
        return false;
    }
    let mut intruded = INTRUDED.lock().unwrap_or_else(PoisonError::into_inner);
    let before = intruded.len();
    intruded.retain(|thread| *thread != thread::current().id());
    IS_INTRUDED.store(!intruded.is_empty(), Ordering::Relaxed);
    intruded.len() < before
}

impl Here {
    /// Checks that this is the thread of the world of a host.
    ///
    /// # Panics
    ///
    /// If it is another thread. The run fails, too: its order would depend on the threads.
    pub(crate) fn check_thread(self, own: ThreadId) {
        if thread::current().id() == own {
            return;
        }
        INTRUDED.lock().unwrap_or_else(PoisonError::into_inner).push(own);
        IS_INTRUDED.store(true, Ordering::Relaxed);
        panic!("{INTRUSION}");
    }

    /// Returns the monotonic clock of the host, in nanoseconds since the start of the world.
    #[cold]
    pub(crate) fn nanos(self) -> u64 {
        with_current(World::host_nanos).unwrap_or(0)
    }

    /// Returns the time of day of the host in a world that started at `epoch`.
    pub(crate) fn system_time(self, epoch: SystemTime) -> SystemTime {
        let nanos = with_current(World::wall_nanos).unwrap_or(0);
        let distance =
            Duration::from_nanos(u64::try_from(nanos.unsigned_abs()).unwrap_or(u64::MAX));
        let time =
            if nanos < 0 { epoch.checked_sub(distance) } else { epoch.checked_add(distance) };
        time.unwrap_or(epoch)
    }

    /// Has the host run a turn.
    pub(crate) fn mark_runnable(self) {
        with_current(|world| world.mark_runnable(self.0));
    }

    /// Waits for readiness events for up to `timeout`, unless a driver lets the time pass. Moves
    /// the events since the last call into `into`.
    pub(crate) fn wait(self, timeout: Option<Duration>, into: &mut Vec<Event>) -> io::Result<()> {
        let wait = |world: &World| {
            world.wait(self.0, timeout)?;
            world.take_events(self.0, into);
            Ok(())
        };
        with_current(wait).unwrap_or(Ok(()))
    }

    /// Returns how many sockets have noted their tokens so far.
    pub(crate) fn registrations(self) -> u64 {
        REGISTRATIONS.get()
    }

    /// Returns the numbers of the next tasks: the first, and the end.
    #[cold]
    pub(crate) fn task_ids(self) -> (u64, u64) {
        let host = self.0.0 as usize;
        let next = ORDINALS.try_with(|ordinals| {
            let ordinals = &mut *ordinals.borrow_mut();
            if ordinals.len() <= host {
                ordinals.resize(host + 1, 1);
            }
            let end = ordinals[host] + BLOCK;
            std::mem::replace(&mut ordinals[host], end)
        });
        // A task of the end of the thread never runs.
        let first = WORLD | (host as u64) << HOST_SHIFT | next.unwrap_or(1);
        (first, first + BLOCK)
    }

    /// Returns a random number of a stream of the world's seed.
    #[cold]
    pub(crate) fn random(self, stream: Stream) -> u64 {
        with_current(|world| world.random(stream)).unwrap_or(0)
    }

    /// Returns a random number for the code of the host. The script has a stream of its own: it
    /// chooses the faults.
    #[cold]
    pub(crate) fn program_random(self) -> u64 {
        self.random(if self.0 == HostId::SCRIPT { Stream::Faults } else { Stream::Program })
    }

    /// Chooses one of `count` ready parts of a task. `None` if they run in their order, or if there
    /// is none.
    #[cold]
    pub(crate) fn choose(self, count: usize) -> Option<usize> {
        with_current(|world| world.choose(count))?
    }
}
