//! L1: what a task tells of itself.
//!
//! A [`Header`] is the live record inside of each task, a [`TaskInfo`] a copy of it for the user.
//! Invariant: ids are never used twice in a process.

use std::cell::Cell;
use std::fmt;
use std::num::NonZeroU64;
use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use crate::waker_id::WakerId;

/// Names a task for as long as the process lives; never used twice.
///
/// ```
/// evloop::block_on(async {
///     let task = evloop::spawn(async { evloop::task::current().unwrap().id() });
///     let id = task.id();
///     assert_eq!(task.await.unwrap(), id);
/// });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(NonZeroU64);

/// Gives out ids to the tasks of one loop, without an atomic for each.
#[derive(Debug, Default)]
pub(crate) struct TaskIds {
    next: Cell<u64>,
    end: Cell<u64>,
}

/// Ids that a loop takes at once from the process's counter.
const BLOCK: u64 = 1 << 10;

/// What a task is given when it is spawned.
#[derive(Debug)]
pub(crate) struct Birth {
    pub(crate) name: Option<Rc<str>>,
    pub(crate) spawned_at: &'static Location<'static>,
}

impl Birth {
    /// Of a task spawned by the caller of the function that calls this.
    #[track_caller]
    pub(crate) fn here() -> Birth {
        Birth { name: None, spawned_at: Location::caller() }
    }
}

/// What every task carries.
pub(crate) struct Header {
    pub(crate) id: TaskId,
    pub(crate) parent: Option<TaskId>,
    pub(crate) spawned_at: &'static Location<'static>,
    pub(crate) waker_id: WakerId,
    pub(crate) polls: Cell<u32>,
    pub(crate) state: Cell<State>,
    /// The handle's drop aborts the task.
    pub(crate) abort_on_drop: Cell<bool>,
    /// No handle is left.
    pub(crate) is_detached: Cell<bool>,
    /// Who awaits the output. Written by the handle, taken once the output is there.
    pub(crate) waiter: Cell<Option<Waker>>,
}

/// Where a task stands; [`cell`](crate::cell) says what follows what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The future is there, and waits for its turn.
    Idle,
    /// The same, but its turn will drop it: `abort` was called.
    Aborted,
    /// The future is being polled or dropped.
    Busy,
    /// The same, but once its poll returns it is dropped.
    BusyAborted,
    /// The output is there.
    Done,
    /// Nothing is there.
    Taken,
}

impl Header {
    pub(crate) fn new(
        id: TaskId,
        parent: Option<TaskId>,
        spawned_at: &'static Location<'static>,
        waker_id: WakerId,
    ) -> Header {
        Header {
            id,
            parent,
            spawned_at,
            waker_id,
            polls: Cell::new(0),
            state: Cell::new(State::Idle),
            abort_on_drop: Cell::new(false),
            is_detached: Cell::new(false),
            waiter: Cell::new(None),
        }
    }

    /// Whether the output, or an error in its place, has come.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.state.get(), State::Done | State::Taken)
    }

    /// Asks for the end of the task. Returns whether it must be given a turn for that.
    pub(crate) fn abort(&self) -> bool {
        match self.state.get() {
            State::Idle => self.state.set(State::Aborted),
            State::Busy => self.state.set(State::BusyAborted),
            State::Aborted | State::BusyAborted | State::Done | State::Taken => {}
        }
        self.state.get() == State::Aborted
    }
}

/// A task as it was when [`task::current`](crate::task::current) or
/// [`task::all`](crate::task::all) was called.
///
/// ```
/// evloop::block_on(async {
///     let task = evloop::task::Builder::new().name("idle").spawn(std::future::pending::<()>());
///     evloop::task::yield_now().await;
///     let all = evloop::task::all();
///     let info = all.iter().find(|info| info.id() == task.id()).unwrap();
///     assert_eq!(info.name(), Some("idle"));
///     assert_eq!(info.polls(), 1);
///     assert_eq!(info.parent(), Some(evloop::task::current().unwrap().id()));
/// });
/// ```
#[derive(Clone, Debug)]
pub struct TaskInfo {
    id: TaskId,
    name: Option<Rc<str>>,
    spawned_at: &'static Location<'static>,
    parent: Option<TaskId>,
    state: TaskState,
    polls: u32,
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskState {
    /// It is being polled now.
    Running,
    /// It was woken and waits for its turn.
    Ready,
    /// It waits to be woken.
    Waiting,
}

/// The process's next id.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl TaskIds {
    pub(crate) fn next(&self) -> TaskId {
        if self.next.get() == self.end.get() {
            let begin = NEXT.fetch_add(BLOCK, Ordering::Relaxed);
            self.next.set(begin);
            self.end.set(begin + BLOCK);
        }
        TaskId::new(self.next.replace(self.next.get() + 1))
    }
}

impl TaskId {
    /// An id for a task that was never spawned.
    pub(crate) fn unborn() -> TaskId {
        TaskId::new(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn new(id: u64) -> TaskId {
        TaskId(NonZeroU64::new(id).expect("ids begin at 1, and 2^64 tasks take centuries to spawn"))
    }
}

impl TaskInfo {
    pub(crate) fn new(header: &Header, name: Option<Rc<str>>, state: TaskState) -> TaskInfo {
        TaskInfo {
            id: header.id,
            name,
            spawned_at: header.spawned_at,
            parent: header.parent,
            state,
            polls: header.polls.get(),
        }
    }

    /// The task's id.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// The name that [`task::Builder::name`](crate::task::Builder::name) gave it.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The line of code that spawned it; for the future of `block_on`, the call of that.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.spawned_at
    }

    /// The task that spawned it; `None` for what was spawned from outside.
    pub fn parent(&self) -> Option<TaskId> {
        self.parent
    }

    /// What it was doing.
    pub fn state(&self) -> TaskState {
        self.state
    }

    /// How often it was polled; after 2^32 polls it begins again at 0.
    pub fn polls(&self) -> u32 {
        self.polls
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({})", self.0)
    }
}
