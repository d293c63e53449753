//! The record of a task.
//!
//! A [`Header`] is the live record inside each task. A [`TaskInfo`] is a copy of it for the user.
//! Invariant: the state of a task that has ended never changes back.

use std::any::Any;
use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Display};
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::task::Waker;

use crate::current::{self, LoopId, TaskId, WaitsFor, WakerId};

/// The options of a spawn.
#[derive(Clone, Debug)]
pub(crate) struct SpawnOptions {
    pub(crate) name: Option<Rc<str>>,
    pub(crate) spawned_at: &'static Location<'static>,
    /// The task is polled at once, inside `spawn`.
    pub(crate) is_eager: bool,
}

impl SpawnOptions {
    /// Returns the options of a task that the caller of the calling function spawns.
    #[track_caller]
    pub(crate) fn here() -> SpawnOptions {
        SpawnOptions::at(Location::caller())
    }

    pub(crate) fn at(spawned_at: &'static Location<'static>) -> SpawnOptions {
        SpawnOptions { name: None, spawned_at, is_eager: false }
    }
}

/// The live record of a task.
pub(crate) struct Header {
    pub(crate) id: TaskId,
    pub(crate) parent: Option<TaskId>,
    pub(crate) spawned_at: &'static Location<'static>,
    /// The id of its slot in the run queue.
    pub(crate) waker_id: Cell<WakerId>,
    pub(crate) polls: Cell<u32>,
    pub(crate) state: Cell<State>,
    /// What the task waited for after its last poll, if a future of this crate reported it.
    pub(crate) waits_for: Cell<Option<WaitsFor>>,
    /// Dropping the handle aborts the task.
    pub(crate) abort_on_drop: Cell<bool>,
    /// The child was woken, and is in the list of its scope.
    pub(crate) is_ready: Cell<bool>,
    /// The handle was dropped.
    pub(crate) is_detached: Cell<bool>,
    /// The waker of the task that awaits the output. Written by the handle, taken at the end of the
    /// task.
    pub(crate) waiter: Cell<Option<Waker>>,
}

/// Holds the record of a task with output `T`, or leads to it.
pub(crate) trait Record<T> {
    fn header(&self) -> &Header;

    /// Returns the error in the output of a detached task, if the type of the output is known.
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

/// The state of a task; [`task_cell`](super::task_cell) draws the transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The future waits for its turn.
    Idle,
    /// The future waits for its turn, which will drop it: `abort` was called.
    Aborted,
    /// The future is being polled or dropped.
    Busy,
    /// The future is being polled, and will be dropped after the poll.
    BusyAborted,
    /// The poll or the drop panicked; the executor will store the panic as the output.
    Unwound,
    /// The output is stored.
    Done,
    /// The output was taken.
    Taken,
}

impl Header {
    /// Returns the id of the task's loop.
    pub(crate) fn in_loop(&self) -> LoopId {
        self.waker_id.get().in_loop()
    }

    /// Makes the record of a task whose parent is the running one.
    #[inline]
    pub(crate) fn new(id: TaskId, spawned_at: &'static Location<'static>) -> Header {
        Header {
            id,
            parent: current::task(),
            spawned_at,
            waker_id: Cell::new(WakerId::NONE),
            polls: Cell::new(0),
            state: Cell::new(State::Idle),
            waits_for: Cell::new(None),
            abort_on_drop: Cell::new(false),
            is_ready: Cell::new(false),
            is_detached: Cell::new(false),
            waiter: Cell::new(None),
        }
    }

    /// Returns whether the task has ended.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.state.get(), State::Done | State::Taken)
    }

    /// Returns whether the future is being polled or dropped.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.state.get(), State::Busy | State::BusyAborted)
    }

    /// Marks the task as aborted. Returns whether it needs a turn, which drops its future.
    pub(crate) fn abort(&self) -> bool {
        match self.state.get() {
            State::Idle => self.state.set(State::Aborted),
            State::Busy => self.state.set(State::BusyAborted),
            State::Aborted | State::BusyAborted | State::Unwound | State::Done | State::Taken => {}
        }
        self.state.get() == State::Aborted
    }
}

/// Describes a task at the time when [`task::current`](crate::task::current) or
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

/// Reports whether a task runs, is ready or waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskState {
    /// The task is being polled. While a child of a scope or a new eager task runs, the task around
    /// it is running too.
    Running,
    /// The task was woken, and waits for its turn.
    Ready,
    /// The task waits to be woken.
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

    /// Returns the id of the task.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Returns the name that [`task::Builder::name`](crate::task::Builder::name) set.
    #[doc(alias = "get_name")]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the line of code that spawned the task. For the future of `block_on`, the line that
    /// called `block_on`.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.spawned_at
    }

    /// Returns the task that spawned this one; `None` if it was spawned outside any task.
    pub fn parent(&self) -> Option<TaskId> {
        self.parent
    }

    /// Returns whether the task ran, was ready or waited.
    pub fn state(&self) -> TaskState {
        self.state
    }

    /// Returns the number of polls of the task. It wraps to 0 after 2^32 polls.
    pub fn polls(&self) -> u32 {
        self.polls
    }

    /// Returns what the task waited for after its last poll.
    ///
    /// Returns `None` while the task is being polled, and if no future of this crate was pending.
    /// Of several pending futures, the one that was polled last counts.
    #[doc(alias = "get_stack")]
    pub fn waits_for(&self) -> Option<WaitsFor> {
        self.waits_for
    }
}

/// Writes the id, the name if the task has one, and the line that spawned it, as messages do.
impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " `{name}`")?;
        }
        write!(f, " (spawned at {})", self.spawned_at)
    }
}

/// Returns the error in `output`, as text.
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
