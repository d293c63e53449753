//! What the running task waits for, and at which line: of its future that was pending last.
//!
//! The thread-locals have no destructors, so they can be read while the thread ends. Invariant:
//! without a line, no future of this crate was pending since the poll of the task began, and what
//! is recorded belongs to an earlier task.

use std::cell::Cell;
use std::panic::Location;
use std::task::Poll;

/// Names what a task waits for; see [`TaskInfo::waits_for`](crate::task::TaskInfo::waits_for).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitsFor {
    /// The end of a task.
    Task,
    /// A deadline: a sleep, a timeout, an interval.
    Time,
    /// A socket, a pipe or another descriptor.
    Io,
    /// A value in a channel or a queue, or capacity for one.
    Channel,
    /// A lock or a permit: `Mutex`, `RwLock`, `Semaphore` and similar types.
    Lock,
    /// A notification: `Event`, `Notify`, `Condvar`, `Barrier`.
    Event,
    /// Work on a thread of the blocking pool.
    Thread,
}

/// A line of code, if it is known.
pub(crate) type Place = Option<&'static Location<'static>>;

/// What a task waits for, and the line that awaits it.
#[derive(Clone, Copy)]
pub(crate) struct Waits {
    pub(crate) what: Option<WaitsFor>,
    pub(crate) place: Place,
}

/// What the running task waits for. One variable of the thread, since the address of each costs an
/// instruction.
struct Recorded {
    what: Cell<Option<WaitsFor>>,
    place: Cell<Place>,
}

thread_local! {
    static RECORDED: Recorded =
        const { Recorded { what: Cell::new(None), place: Cell::new(None) } };
}

/// Begins a poll of a task: it waits for nothing yet.
#[inline]
pub(super) fn begin() {
    RECORDED.with(|recorded| recorded.place.set(None));
}

/// Returns `Pending`, and records what the future waits for, and where: in the calling function,
/// or at the line that polls it if it has `#[track_caller]`.
#[inline]
#[track_caller]
pub(crate) fn pending<T>(what: WaitsFor) -> Poll<T> {
    set(Waits { what: Some(what), place: Some(Location::caller()) });
    Poll::Pending
}

/// Returns `Pending` for a future that waits for nothing but its next poll. What an earlier future
/// of the same poll waits for stays recorded.
pub(super) fn refused<T>() -> Poll<T> {
    RECORDED.with(|recorded| {
        if recorded.place.get().is_none() {
            recorded.what.set(None);
        }
    });
    Poll::Pending
}

/// Records the line of a future that was pending.
#[inline]
pub(super) fn set_place(place: &'static Location<'static>) {
    RECORDED.with(|recorded| recorded.place.set(Some(place)));
}

/// Returns what the last pending future waits for, and the line that awaits it.
#[inline]
pub(crate) fn get() -> Waits {
    RECORDED.with(|recorded| Waits { what: recorded.what.get(), place: recorded.place.get() })
}

/// Records what a task waits for.
#[inline]
pub(super) fn set(waits: Waits) {
    RECORDED.with(|recorded| {
        recorded.what.set(waits.what);
        recorded.place.set(waits.place);
    });
}

/// Returns whether a future has recorded what it waits for since the poll of the task began.
pub(super) fn is_waiting() -> bool {
    get().known().is_some()
}

impl Waits {
    pub(crate) const NOTHING: Waits = Waits { what: None, place: None };

    /// Returns what the task waits for, unless that is unknown.
    pub(crate) fn known(self) -> Option<WaitsFor> {
        self.what.filter(|_| self.place.is_some())
    }
}
