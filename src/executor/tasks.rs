//! The tasks of one loop: spawned, listed, ended.
//!
//! Tasks live in the slots of the run queue. Slot 0 is the root: the future of `block_on`, which
//! stays on the caller's stack. Invariant: nothing is borrowed while a future is polled or dropped
//! or a waker is woken.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::join_error::JoinError;
use super::join_handle::JoinHandle;
use super::local_queue::{LocalQueue, TurnGuard};
use super::run_queue::ROOT;
use super::runnable::{Runnable, tell};
use super::task_cell::TaskCell;
use super::task_info::{Header, SpawnOptions, TaskInfo, TaskState};
use crate::caught::{Caught, catch};
use crate::current::{self, LoopId, TaskId, TaskIds, WakerId, debug};
use crate::threads::Inbox;

/// `running` when no task is being polled.
pub(super) const NOBODY: u32 = u32::MAX;

pub(super) const TOO_MANY: &str = "too many tasks live in one event loop to spawn another";

/// What the loop does with the panic of a task that nobody awaits.
pub(crate) type PanicHandler = Box<dyn Fn(JoinError)>;

/// The future of `block_on`: it leaves its output elsewhere.
pub(crate) type Root<'a> = Pin<&'a mut dyn Future<Output = ()>>;

/// The tasks of one loop.
pub(crate) struct Executor {
    pub(super) local_queue: Rc<LocalQueue>,
    /// Told of what is spawned between two turns.
    inbox: Arc<Inbox>,
    pub(super) ids: TaskIds,
    /// Of the few tasks that have one.
    names: RefCell<BTreeMap<TaskId, Rc<str>>>,
    /// The record of the future that `block_on` runs, while it does.
    pub(super) root: RefCell<Option<Header>>,
    /// The slot of the task being polled.
    pub(super) running: Cell<u32>,
    /// The loop ends: what is spawned now is dropped at once.
    is_closing: Cell<bool>,
    /// The turn of the batch before which it pauses to look at what ends it. Zero: after the poll
    /// that runs, in which the root has ended or a call asked for a boundary.
    pub(super) pause_at: Cell<usize>,
    /// The slot at which the batch ends: the first call that was made in it, which runs in the next
    /// turn of the loop.
    pub(super) boundary: Cell<Option<u32>>,
    pub(super) hooks: Hooks,
}

/// What a loop does beside running tasks.
pub(crate) struct Hooks {
    pub(crate) on_task_error: PanicHandler,
    /// In debug mode: a poll that takes longer is told of.
    pub(crate) slow_poll: Option<Duration>,
}

/// The time in which a root runs. Dropped, the root's wakers are stale.
pub(crate) struct RootRecord<'a>(&'a Executor);

impl Executor {
    pub(crate) fn new(id: LoopId, inbox: Arc<Inbox>, hooks: Hooks) -> Executor {
        Executor {
            local_queue: LocalQueue::new(id),
            inbox,
            ids: TaskIds::default(),
            names: RefCell::default(),
            root: RefCell::new(None),
            running: Cell::new(NOBODY),
            is_closing: Cell::new(false),
            pause_at: Cell::new(0),
            boundary: Cell::new(None),
            hooks,
        }
    }

    /// Makes a task and queues it. While the loop ends: drops its future instead.
    ///
    /// # Panics
    ///
    /// If as many tasks live as a waker can tell apart: 4 billion, or 262,141 with 32 bits.
    pub(crate) fn spawn<F: Future + 'static>(
        &self,
        future: F,
        options: SpawnOptions,
    ) -> JoinHandle<F::Output> {
        let header = Header::new(self.ids.next(), options.spawned_at);
        let id = header.id;
        let task = TaskCell::new(header, future);
        let handle = JoinHandle::new(task.clone());
        if let Some(name) = options.name {
            self.names.borrow_mut().insert(id, name);
        }
        let is_closing = self.is_closing();
        let is_eager = options.is_eager && self.local_queue.is_in_turn();
        let inserted = self.local_queue.with(|queue| {
            let waker_id = queue.insert(self.local_queue.id(), task.clone())?;
            if !is_eager && !is_closing {
                queue.push(waker_id);
            }
            Some(waker_id)
        });
        Runnable::header(&*task).waker_id.set(inserted.expect(TOO_MANY));
        if is_closing {
            // Nobody will wake it: it ends here.
            self.cancel(&*task);
        } else if is_eager {
            self.run_eagerly(&*task);
        } else if !self.local_queue.is_in_turn() {
            // Who watches the loop from outside must be told.
            self.inbox.notify();
        }
        handle
    }

    /// Spawns a task that runs after all that are ready, in the next turn of the loop.
    pub(crate) fn call_soon<F: Future + 'static>(
        &self,
        future: F,
        options: SpawnOptions,
    ) -> JoinHandle<F::Output> {
        let handle = self.spawn(future, options);
        if self.local_queue.is_in_turn() && self.boundary.get().is_none() && !self.is_closing() {
            self.boundary.set(self.local_queue.with(|queue| queue.last()));
            self.pause_at.set(0);
        }
        handle
    }

    /// Queues a task that was woken from elsewhere.
    pub(crate) fn wake(&self, id: WakerId) {
        self.local_queue.with(|queue| queue.push(id));
    }

    /// How many tasks are ready to run.
    pub(crate) fn ready(&self) -> usize {
        self.local_queue.with(|queue| queue.len())
    }

    /// Gives the memory of a burst of tasks back, after it.
    pub(crate) fn give_back(&self) {
        self.local_queue.with(|queue| queue.give_back());
    }

    /// Makes the loop the one whose wakers on this thread go straight to its queue.
    pub(crate) fn begin_turn(&self) -> TurnGuard {
        self.local_queue.begin_turn()
    }

    /// Begins to run a root: gives it a record, until what it returns is dropped, and queues it.
    pub(crate) fn begin_root(&self, spawned_at: &'static Location<'static>) -> RootRecord<'_> {
        let header = Header::new(self.ids.next(), spawned_at);
        header
            .waker_id
            .set(self.local_queue.with(|queue| queue.insert_root(self.local_queue.id())));
        self.root.replace(Some(header));
        RootRecord(self)
    }

    /// Drops all tasks in the order they were spawned, and what their destructors spawn at once.
    /// Returns the first panic that was not a task's.
    /// Only in a turn.
    pub(crate) fn shutdown(&self) -> Option<Caught> {
        self.is_closing.set(true);
        let _debug = debug::set(self.hooks.slow_poll.is_some());
        let mut panic = None;
        let mut tasks: Vec<_> = self.local_queue.with(|queue| queue.tasks().cloned().collect());
        tasks.sort_by_key(|task| task.header().id);
        for task in tasks {
            // The destructor of one before may have ended it: a child ends with its scope.
            if !task.header().is_finished() {
                panic = panic.or(catch(|| self.cancel(&*task)).err());
            }
        }
        self.names.take();
        panic
    }

    /// Reports the panics that nobody else will hear of. Returns the first panic of the handler.
    pub(crate) fn report_lost(&self) -> Option<Caught> {
        let mut panic = None;
        while let Some(lost) = self.local_queue.take_lost() {
            panic = panic.or(catch(|| self.report(lost)).err());
        }
        panic
    }

    /// Whether the loop ends, or has ended.
    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.get()
    }

    /// The task whose code runs, if it is one of this loop.
    pub(crate) fn running(&self) -> Option<TaskInfo> {
        let info = self.info_at(self.running.get());
        info.filter(|info| Some(info.id()) == current::task())
    }

    /// All tasks in the order they were spawned, the root among them.
    pub(crate) fn all(&self) -> Vec<TaskInfo> {
        let tasks: Vec<_> = self.local_queue.with(|queue| queue.tasks().cloned().collect());
        let mut all: Vec<_> = tasks.iter().map(|task| self.info(task.header())).collect();
        all.extend(self.root.borrow().as_ref().map(|header| self.info(header)));
        all.sort_by_key(TaskInfo::id);
        all
    }

    /// Ends the slot of a task that has ended, and tells of that.
    pub(super) fn end(&self, task: &dyn Runnable) {
        self.leave_slot(task.header());
        self.leave();
        if let Some(error) = tell(task) {
            self.report(error);
        }
    }

    /// Ends the slot of a task, which the executor knows no more then.
    pub(crate) fn leave_slot(&self, header: &Header) {
        if debug::is_on() {
            self.check_locks(header);
        }
        let slot = header.waker_id.get().slot();
        let task = self.local_queue.with(|queue| queue.remove(slot));
        drop(task);
        if !self.names.borrow().is_empty() {
            self.names.borrow_mut().remove(&header.id);
        }
    }

    /// Tells the handler of a panic that nobody else will hear of.
    pub(crate) fn report(&self, error: JoinError) {
        (self.hooks.on_task_error)(error);
    }

    /// No task is being polled.
    pub(super) fn leave(&self) {
        self.running.set(NOBODY);
        current::end_task();
    }

    pub(super) fn task(&self, slot: u32) -> Option<Rc<dyn Runnable>> {
        self.local_queue.with(|queue| queue.task(slot).cloned())
    }

    pub(super) fn info_at(&self, slot: u32) -> Option<TaskInfo> {
        match slot {
            NOBODY => None,
            ROOT => self.root.borrow().as_ref().map(|header| self.info(header)),
            slot => self.task(slot).map(|task| self.info(task.header())),
        }
    }

    pub(super) fn info(&self, header: &Header) -> TaskInfo {
        let slot = header.waker_id.get().slot();
        let state = if header.is_running() {
            TaskState::Running
        } else if header.is_ready.get() || self.local_queue.with(|queue| queue.is_queued(slot)) {
            TaskState::Ready
        } else {
            TaskState::Waiting
        };
        TaskInfo::new(header, self.names.borrow().get(&header.id).cloned(), state)
    }
}

impl Drop for RootRecord<'_> {
    fn drop(&mut self) {
        self.0.root.replace(None);
        self.0.local_queue.with(|queue| queue.remove(ROOT));
    }
}
