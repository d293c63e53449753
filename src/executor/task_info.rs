//! The public description of a task: a copy of its record.

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use super::attachments;
use super::header::{Flag, Header, write_task};
use super::local_queue::abort;
use super::task_memory::Task;
use crate::current::{self, TaskId, Waits, WaitsFor, WakerId};
use crate::threads::registry;

/// Describes a task at the time when [`task::current`](crate::task::current) or
/// [`task::all`](crate::task::all) was called. It can also [abort](TaskInfo::abort) and
/// [rename](TaskInfo::set_name) the task.
///
/// It keeps neither the future of the task nor its output.
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
#[derive(Clone)]
pub struct TaskInfo {
    task: Place,
    id: TaskId,
    name: Option<Rc<str>>,
    spawned_at: &'static Location<'static>,
    parent: Option<TaskId>,
    state: TaskState,
    polls: u32,
    waits: Waits,
    waker_id: WakerId,
    is_child: bool,
}

/// Where the record of a task is.
#[derive(Clone)]
pub(crate) enum Place {
    Task(Task),
    /// Holds the id of the root that runs now.
    Root(Rc<Cell<Option<TaskId>>>),
}

/// Reports whether a task runs, is ready, waits or has ended.
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
    /// The task has ended. Only an [`Instrument`](crate::runtime::Instrument) sees such a task.
    Ended,
}

impl TaskInfo {
    pub(crate) fn new(header: &Header, task: Place, state: TaskState) -> TaskInfo {
        let waits = if state == TaskState::Running { Waits::NOTHING } else { header.waits() };
        TaskInfo {
            task,
            id: header.id,
            name: header.name(),
            spawned_at: header.spawned_at,
            parent: header.parent,
            state,
            polls: header.polls.get(),
            waits,
            waker_id: header.waker_id.get(),
            is_child: header.has(Flag::IsChild),
        }
    }

    /// Returns what the wakers of the task name.
    pub(crate) fn waker_id(&self) -> WakerId {
        self.waker_id
    }

    /// Returns whether the task is a child of a scope.
    pub(crate) fn is_child(&self) -> bool {
        self.is_child
    }

    /// Returns the task that awaits the output of this one; `None` if no task of this crate does.
    pub(crate) fn waiter(&self) -> Option<WakerId> {
        let Place::Task(task) = &self.task else { return None };
        task.header().waiter.task()
    }

    /// Returns the id of the task.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Returns the name that [`task::Builder::name`](crate::task::Builder::name) or
    /// [`set_name`](TaskInfo::set_name) has set.
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
        self.waits.known()
    }

    /// Returns the line at which the task waited after its last poll: its `.await`.
    ///
    /// Returns `None` where [`waits_for`](TaskInfo::waits_for) does. Some functions of this crate
    /// wait in several steps: for those it is a line of the crate, inside the function.
    ///
    /// ```
    /// use evloop::task;
    ///
    /// evloop::block_on(async {
    ///     let event = evloop::sync::Event::new();
    ///     let line = line!() + 1;
    ///     let task = evloop::spawn(async move { event.wait().await });
    ///     task::yield_now().await;
    ///     let all = task::all();
    ///     let info = all.iter().find(|info| info.id() == task.id()).unwrap();
    ///     assert_eq!(info.waits_at().unwrap().line(), line);
    /// });
    /// ```
    #[doc(alias = "get_stack")]
    #[doc(alias = "print_stack")]
    pub fn waits_at(&self) -> Option<&'static Location<'static>> {
        self.waits.place
    }

    /// Sets the name of the task: asyncio's `Task.set_name`. If the task has ended, only this
    /// description is changed.
    ///
    /// ```
    /// use evloop::task;
    ///
    /// evloop::block_on(async {
    ///     task::current().unwrap().set_name("main");
    ///     assert_eq!(task::current().unwrap().name(), Some("main"));
    /// });
    /// ```
    #[doc(alias = "setName")]
    pub fn set_name(&mut self, name: impl Into<Rc<str>>) {
        let name = name.into();
        self.name = Some(name.clone());
        match &self.task {
            Place::Task(task) if task.header().is_finished() => {}
            Place::Task(task) => task.header().set_name(name),
            Place::Root(root) if root.get() == Some(self.id) => {
                registry::set_name(current::loop_id(), self.id, &name);
                attachments::set_name(self.id, name)
            }
            Place::Root(_) => {}
        }
    }

    /// Requests that the task is dropped, as [`JoinHandle::abort`](crate::JoinHandle::abort) does.
    /// Does nothing if the task has ended, and for the future of `block_on`, which belongs to the
    /// caller of `block_on`.
    ///
    /// ```
    /// use evloop::task;
    ///
    /// evloop::block_on(async {
    ///     let idle = evloop::spawn(std::future::pending::<()>());
    ///     task::all().iter().for_each(task::TaskInfo::abort);
    ///     assert!(idle.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    #[doc(alias = "cancel")]
    #[doc(alias = "killall")]
    pub fn abort(&self) {
        if let Place::Task(task) = &self.task {
            abort(task.header());
        }
    }
}

impl fmt::Debug for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TaskInfo");
        debug.field("id", &self.id).field("name", &self.name).field("state", &self.state);
        debug.field("spawned_at", &self.spawned_at).field("waits_for", &self.waits_for());
        debug.finish_non_exhaustive()
    }
}

/// Writes the id, the name if the task has one, and the line that spawned it, as messages do.
impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_task(f, self.id, self.name(), self.spawned_at)
    }
}
