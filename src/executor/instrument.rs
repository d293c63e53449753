//! The hooks by which other code observes a loop.

use std::cell::Cell;
use std::time::Duration;

use super::join_error::JoinError;
use super::task_end::TaskEnd;
use super::task_info::TaskInfo;
use crate::caught::{Caught, catch};
use crate::current;

/// Observes the tasks and the waits of a loop: trio's `Instrument`, gevent's spawn callbacks.
///
/// [`Builder::instrument`](crate::runtime::Builder::instrument) installs one. Each method is a hook
/// that does nothing by default. A loop without instruments does not call them and pays nothing.
///
/// A hook runs on the loop's thread, outside of any task, also while a task runs another one inside
/// its poll: a new eager task, or a child of a scope. It may list, spawn and abort tasks; the tasks
/// that it spawns are observed too.
///
/// If a hook panics, the loop completes its turn. Then the panic propagates to the caller that runs
/// the loop, as a panic of [`on_task_error`](crate::runtime::Builder::on_task_error) does.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
///
/// use evloop::runtime::Instrument;
/// use evloop::task::{TaskEnd, TaskInfo};
///
/// struct Polls(Rc<RefCell<Vec<String>>>);
///
/// impl Instrument for Polls {
///     fn ended(&self, task: &TaskInfo, end: TaskEnd) {
///         let line = format!("{:?} {end:?} after {} polls", task.name(), task.polls());
///         self.0.borrow_mut().push(line);
///     }
/// }
///
/// let lines = Rc::new(RefCell::new(Vec::new()));
/// let mut runtime = evloop::Runtime::builder().instrument(Polls(lines.clone())).build()?;
/// let task = evloop::task::yield_now();
/// runtime.block_on(async {
///     evloop::task::Builder::new().name("worker").spawn(task).await.unwrap();
///     assert_eq!(lines.borrow()[0], "Some(\"worker\") Returned after 2 polls");
/// });
/// # std::io::Result::Ok(())
/// ```
#[allow(unused_variables)]
pub trait Instrument {
    /// Called when a task was spawned, before its first poll. The future of `block_on` and a child
    /// of a scope are tasks, too.
    #[doc(alias = "task_spawned")]
    #[doc(alias = "add_spawn_callback")]
    fn spawned(&self, task: &TaskInfo) {}

    /// Called before each poll of a task, and before the turn that drops an aborted task.
    #[doc(alias = "before_task_step")]
    fn before_poll(&self, task: &TaskInfo) {}

    /// Called after each poll of a task, also after a panic.
    #[doc(alias = "after_task_step")]
    fn after_poll(&self, task: &TaskInfo) {}

    /// Called when a task has ended: its future was dropped. Its waiter is not woken yet.
    #[doc(alias = "task_exited")]
    fn ended(&self, task: &TaskInfo, end: TaskEnd) {}

    /// Called before the loop waits for events, for `limit` at most; `None` is no limit. Zero if
    /// the loop does not wait, but only asks for events, since tasks are ready.
    #[doc(alias = "before_io_wait")]
    fn before_wait(&self, limit: Option<Duration>) {}

    /// Called after the loop has waited for events.
    #[doc(alias = "after_io_wait")]
    fn after_wait(&self) {}
}

/// The handler of panics and errors that no handle will return.
pub(crate) type ErrorHandler = Box<dyn Fn(JoinError)>;

/// The settings of a loop that concern its tasks.
pub(crate) struct Hooks {
    pub(crate) on_task_error: ErrorHandler,
    /// `Some` with instruments or in debug mode.
    pub(crate) observers: Option<Box<Observers>>,
}

impl Hooks {
    /// Returns whether the loop is in debug mode.
    pub(crate) fn is_debug(&self) -> bool {
        self.observers.as_deref().is_some_and(Observers::is_debug)
    }
}

/// The observers of a loop: its instruments, and debug mode's limit of a poll.
pub(crate) struct Observers {
    instruments: Vec<Box<dyn Instrument>>,
    /// `Some` in debug mode: a poll that takes longer is reported.
    pub(super) slow_poll: Option<Duration>,
    /// The first panic of a hook, until the turn is complete.
    panic: Cell<Option<Caught>>,
}

impl Observers {
    /// Returns `None` if there is nothing to observe.
    pub(crate) fn new(
        instruments: Vec<Box<dyn Instrument>>,
        slow_poll: Option<Duration>,
    ) -> Option<Box<Observers>> {
        if instruments.is_empty() && slow_poll.is_none() {
            return None;
        }
        Some(Box::new(Observers { instruments, slow_poll, panic: Cell::new(None) }))
    }

    /// Returns whether the loop is in debug mode.
    pub(super) fn is_debug(&self) -> bool {
        self.slow_poll.is_some()
    }

    pub(super) fn has_instruments(&self) -> bool {
        !self.instruments.is_empty()
    }

    /// Calls a hook of each instrument, outside of any task. Compiled once for all hooks.
    pub(crate) fn each(&self, hook: &dyn Fn(&dyn Instrument)) {
        let _outer = current::begin_other();
        for instrument in &self.instruments {
            if let Err(panic) = catch(|| hook(&**instrument)) {
                let first = self.panic.take().unwrap_or(panic);
                self.panic.set(Some(first));
            }
        }
    }

    /// Takes the first panic of a hook.
    pub(super) fn take_panic(&self) -> Option<Caught> {
        self.panic.take()
    }
}
