//! What a task tells of itself.
//!
//! A [`Header`] is the live record inside of each task, a [`TaskInfo`] a copy of it for the user.
//! Invariant: the state of a task that has ended never changes back.

use std::any::Any;
use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Display};
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::task::Waker;

use crate::current::{self, TaskId, WaitsFor, WakerId};

/// What a task is given when it is spawned.
#[derive(Clone, Debug)]
pub(crate) struct SpawnOptions {
    pub(crate) name: Option<Rc<str>>,
    pub(crate) spawned_at: &'static Location<'static>,
    /// It is polled at once, inside of `spawn`.
    pub(crate) is_eager: bool,
}

impl SpawnOptions {
    /// Of a task spawned by the caller of the function that calls this.
    #[track_caller]
    pub(crate) fn here() -> SpawnOptions {
        SpawnOptions::at(Location::caller())
    }

    pub(crate) fn at(spawned_at: &'static Location<'static>) -> SpawnOptions {
        SpawnOptions { name: None, spawned_at, is_eager: false }
    }
}

/// What every task carries.
pub(crate) struct Header {
    pub(crate) id: TaskId,
    pub(crate) parent: Option<TaskId>,
    pub(crate) spawned_at: &'static Location<'static>,
    /// Of its slot in the run queue.
    pub(crate) waker_id: Cell<WakerId>,
    pub(crate) polls: Cell<u32>,
    pub(crate) state: Cell<State>,
    /// What it waited for when it was last polled, if that said so.
    pub(crate) waits_for: Cell<Option<WaitsFor>>,
    /// The handle's drop aborts the task.
    pub(crate) abort_on_drop: Cell<bool>,
    /// It was woken, and its scope was told.
    pub(crate) is_ready: Cell<bool>,
    /// No handle is left.
    pub(crate) is_detached: Cell<bool>,
    /// Who awaits the output. Written by the handle, taken once the output is there.
    pub(crate) waiter: Cell<Option<Waker>>,
}

/// What has the record of a task that gives a `T`, or knows where it is.
pub(crate) trait Record<T> {
    fn header(&self) -> &Header;

    /// The error in an output that nobody will take, if that can be told.
    fn error_in(&self, output: &T) -> Option<String>;
}

impl<T: 'static> Record<T> for Header {
    fn header(&self) -> &Header {
        self
    }

    fn error_in(&self, output: &T) -> Option<String> {
        error_in(output)
    }
}

/// Where a task stands; [`cell`](super::task_cell) says what follows what.
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
    /// The same, but a panic came out of that; the executor will put it in the output's place.
    Unwound,
    /// The output is there.
    Done,
    /// Nothing is there.
    Taken,
}

impl Header {
    /// Of a task that the running one makes.
    #[inline]
    pub(crate) fn new(id: TaskId, spawned_at: &'static Location<'static>) -> Header {
        Header {
            id,
            parent: current::task(),
            spawned_at,
            waker_id: Cell::new(WakerId::NOBODY),
            polls: Cell::new(0),
            state: Cell::new(State::Idle),
            waits_for: Cell::new(None),
            abort_on_drop: Cell::new(false),
            is_ready: Cell::new(false),
            is_detached: Cell::new(false),
            waiter: Cell::new(None),
        }
    }

    /// Whether the output, or an error in its place, has come.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.state.get(), State::Done | State::Taken)
    }

    /// Whether it is being polled or dropped.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.state.get(), State::Busy | State::BusyAborted)
    }

    /// Asks for the end of the task. Returns whether it must be given a turn for that.
    pub(crate) fn abort(&self) -> bool {
        match self.state.get() {
            State::Idle => self.state.set(State::Aborted),
            State::Busy => self.state.set(State::BusyAborted),
            State::Aborted | State::BusyAborted | State::Unwound | State::Done | State::Taken => {}
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
    waits_for: Option<WaitsFor>,
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskState {
    /// It is being polled now. Inside of a child of a scope, or of the start of an eager task, so
    /// is the task that runs it.
    Running,
    /// It was woken and waits for its turn.
    Ready,
    /// It waits to be woken.
    Waiting,
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
            waits_for: header.waits_for.get().filter(|_| state != TaskState::Running),
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

    /// What it waited for when it was last polled, if that was something of this crate: of several
    /// things at once the last. While it is being polled: nothing.
    pub fn waits_for(&self) -> Option<WaitsFor> {
        self.waits_for
    }
}

/// As messages name it: its id, its name if it has one, and where it was spawned.
impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " `{name}`")?;
        }
        write!(f, " (spawned at {})", self.spawned_at)
    }
}

/// The error in `output`, as text.
pub(crate) fn error_in<T: 'static>(output: &T) -> Option<String> {
    let output = output as &dyn Any;
    text::<io::Error>(output)
        .or_else(|| text::<Box<dyn Error>>(output))
        .or_else(|| text::<Box<dyn Error + Send + Sync>>(output))
        .or_else(|| text::<String>(output))
}

fn text<E: Display + 'static>(output: &dyn Any) -> Option<String> {
    let output = output.downcast_ref::<Result<(), E>>()?;
    output.as_ref().err().map(E::to_string)
}
