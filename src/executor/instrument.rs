//! The hooks by which other code observes a loop.

use std::cell::Cell;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::join_error::JoinError;
use super::spans;
use super::task_end::TaskEnd;
use super::task_info::TaskInfo;
use crate::caught::{Caught, catch};
use crate::current::{self, debug::Mode};
use crate::threads::{Beacon, Buffer, KnownPlaces, Watch};

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
    /// Locks are recorded also outside of debug mode.
    pub(crate) records_locks: bool,
    /// `Some` with instruments, in debug mode, if another thread watches the loop, or if tasks have
    /// spans.
    pub(crate) observers: Option<Box<Observers>>,
}

impl Hooks {
    /// Returns whether the loop is in debug mode.
    pub(crate) fn is_debug(&self) -> bool {
        self.observers.as_deref().is_some_and(Observers::is_debug)
    }

    /// Returns the beacon, if another thread watches the loop by it.
    pub(crate) fn watched(&self) -> Option<Arc<Beacon>> {
        let beacon = &self.observers.as_ref()?.beacon;
        beacon.settings.is_on().then(|| beacon.clone())
    }

    /// Returns what the code of the tasks records.
    pub(super) fn mode(&self) -> Mode {
        match (self.is_debug(), self.records_locks) {
            (true, _) => Mode::Debug,
            (false, true) => Mode::Locks,
            (false, false) => Mode::Off,
        }
    }
}

/// The observers of a loop: its beacon, its instruments, and debug mode's limit of a poll.
pub(crate) struct Observers {
    pub(super) beacon: Arc<Beacon>,
    places: KnownPlaces,
    recorded: Buffer,
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
        watch: Watch,
    ) -> Option<Box<Observers>> {
        let has_hooks = !instruments.is_empty() || slow_poll.is_some();
        if !has_hooks && !watch.is_on() && !spans::ARE_MADE {
            return None;
        }
        let beacon = Arc::new(Beacon::new(watch));
        if has_hooks {
            beacon.set_hooks();
        }
        Some(Box::new(Observers {
            beacon,
            places: KnownPlaces::new(),
            recorded: Buffer::default(),
            instruments,
            slow_poll,
            panic: Cell::new(None),
        }))
    }

    /// Returns whether the loop is in debug mode.
    pub(super) fn is_debug(&self) -> bool {
        self.slow_poll.is_some()
    }

    pub(crate) fn has_instruments(&self) -> bool {
        !self.instruments.is_empty()
    }

    /// Makes a place of a spawn known to the thread that watches the loop, if one does.
    pub(super) fn add_place(&self, place: &'static Location<'static>) {
        if self.beacon.settings.is_on() {
            self.places.add(place);
        }
    }

    /// Shows a wait of the loop, and calls the hooks around it. `longest`: the limit of the wait.
    pub(crate) fn around_wait<T>(&self, longest: Option<Duration>, wait: impl FnOnce() -> T) -> T {
        self.each(&|instrument| instrument.before_wait(longest));
        let is_wait = longest != Some(Duration::ZERO);
        if is_wait {
            self.beacon.begin_wait(&self.recorded);
        }
        let began = self.beacon.recorded();
        let waited = wait();
        self.beacon.begin_turn();
        if let Some((begin, ..)) = began.filter(|_| is_wait) {
            self.record(begin, 0, 0);
        }
        self.each(&|instrument| instrument.after_wait());
        waited
    }

    /// Records what the loop has done since `begin`.
    pub(super) fn record(&self, begin: u64, task: u64, place: usize) {
        self.beacon.record(&self.recorded, begin, task, place);
    }

    /// Calls a hook of each instrument, outside of any task. Compiled once for all hooks.
    pub(crate) fn each(&self, hook: &dyn Fn(&dyn Instrument)) {
        if !self.has_instruments() {
            return;
        }
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
