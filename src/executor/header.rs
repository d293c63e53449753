//! The live record inside each task.
//!
//! Invariant: the state of a task that has ended never changes back.

use std::cell::Cell;
use std::fmt;
use std::mem;
use std::panic::Location;
use std::rc::Rc;

use super::attachments::{self, AtEnd};
use super::task_end::{EndCall, TaskEnd};
use super::waiter::Waiter;
use crate::current::{self, LoopId, Place, TaskId, Waits, WaitsFor, WakerId, debug};
use crate::threads::registry;

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
    waits_for: Cell<Option<WaitsFor>>,
    /// The line that awaits that future. `None`: no future of this crate was pending.
    waits_at: Cell<Place>,
    /// How the task has ended, once it has.
    pub(crate) end: Cell<TaskEnd>,
    /// One bit for each [`Flag`].
    flags: Cell<u8>,
    /// The waker of the task that awaits the output. Written by the handle, used at the end of the
    /// task.
    pub(super) waiter: Waiter,
}

/// What is true or false of a task: one bit each, so that the record stays small.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flag {
    /// Dropping the handle aborts the task.
    AbortOnDrop = 1 << 0,
    /// The child was woken, and is in the list of its scope.
    IsReady = 1 << 1,
    /// The handle was dropped.
    IsDetached = 1 << 2,
    /// The task has a name, or functions that are called at its end.
    HasAttachments = 1 << 3,
    /// The task is a child of a scope.
    IsChild = 1 << 4,
    /// The task is a call of the loop. A simulated world chooses the order of the tasks, but calls
    /// keep theirs. Set only there.
    IsCall = 1 << 5,
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
            waits_at: Cell::new(None),
            end: Cell::new(TaskEnd::Returned),
            flags: Cell::new(0),
            waiter: Waiter::new(),
        }
    }

    /// Makes the record of a child of a scope.
    #[inline]
    pub(super) fn of_child(id: TaskId, spawned_at: &'static Location<'static>) -> Header {
        let header = Header::new(id, spawned_at);
        header.set(Flag::IsChild, true);
        header
    }

    #[inline]
    pub(crate) fn has(&self, flag: Flag) -> bool {
        self.flags.get() & flag as u8 != 0
    }

    /// Sets or clears a flag.
    #[inline]
    pub(crate) fn set(&self, flag: Flag, value: bool) {
        let others = self.flags.get() & !(flag as u8);
        self.flags.set(others | if value { flag as u8 } else { 0 });
    }

    /// Records what the task waits for after a poll.
    #[inline]
    pub(super) fn set_waits(&self) {
        let Waits { what, place } = current::waits();
        self.waits_for.set(what);
        self.waits_at.set(place);
    }

    /// Returns what the task waited for after its last poll.
    pub(super) fn waits(&self) -> Waits {
        Waits { what: self.waits_for.get(), place: self.waits_at.get() }
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

/// Writes how messages name a task.
pub(super) fn write_task(
    f: &mut fmt::Formatter<'_>,
    id: TaskId,
    name: Option<&str>,
    spawned_at: &Location<'_>,
) -> fmt::Result {
    write!(f, "task {id}")?;
    if let Some(name) = name {
        write!(f, " `{}`", debug::Name(name))?;
    }
    write!(f, " (spawned at {spawned_at})")
}

/// Writes the id of the task, its name if it has one, and the line that spawned it.
impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_task(f, self.id, self.name().as_deref(), self.spawned_at)
    }
}

/// The attachments: they have accessors here, so that the flag is always checked.
impl Header {
    /// Sets that the task has, or may have, attachments.
    pub(super) fn attach(&self) {
        self.set(Flag::HasAttachments, true);
    }

    /// Returns the name of the task.
    pub(crate) fn name(&self) -> Option<Rc<str>> {
        if self.has_attachments() { attachments::name(self.id) } else { None }
    }

    #[cold]
    pub(crate) fn set_name(&self, name: Rc<str>) {
        self.attach();
        registry::set_name(self.in_loop(), self.id, &name);
        attachments::set_name(self.id, name);
    }

    /// Adds a function that is called after the end of the task. The task must not have ended.
    pub(crate) fn add_end_call(&self, call: EndCall) {
        self.attach();
        attachments::with(self.id, |attachments| attachments.add_call(call));
    }

    /// Sets the function that reports the error in the output. The task must not have ended.
    pub(crate) fn set_report(&self, report: Box<dyn FnOnce()>) {
        self.attach();
        attachments::with(self.id, |attachments| attachments.end.report = Some(report));
    }

    pub(super) fn has_attachments(&self) -> bool {
        self.has(Flag::HasAttachments)
    }

    /// Takes what is to be called at the end of the task. The task must have attachments.
    pub(super) fn take_at_end(&self) -> AtEnd {
        attachments::with(self.id, |attachments| mem::take(&mut attachments.end))
    }
}

impl Drop for Header {
    #[inline]
    fn drop(&mut self) {
        if self.has_attachments() {
            attachments::remove(self.id);
        }
    }
}
