//! Spawning, listing and ending the tasks of one loop.
//!
//! The slots of the run queue hold the tasks. Slot 0 is the root: the future of `block_on`, which
//! stays on the caller's stack. Invariant: no `RefCell` is borrowed while a future is polled or
//! dropped, or while a waker is woken.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use futures_task::LocalFutureObj;

use super::arena;
use super::awaited::wake_waiter;
use super::header::{Flag, Header, SpawnOptions};
use super::instrument::Hooks;
use super::join_error::JoinError;
use super::join_handle::JoinHandle;
use super::local_queue::{LocalQueue, TurnGuard, abort, store_unhandled};
use super::run_queue::ROOT;
use super::task_cell::TaskCell;
use super::task_info::{Place, TaskInfo, TaskState};
use super::task_memory::{Runnable, Task};
use crate::caught::{Caught, catch};
use crate::current::{self, LoopId, TaskId, TaskIds, WakerId, debug};
use crate::threads::Inbox;
use crate::world;

/// The value of `running` while no task is being polled.
pub(super) const NO_TASK: u32 = u32::MAX;

pub(super) const TOO_MANY: &str = "too many tasks live in one event loop to spawn another";

/// The future of `block_on`. It stores its output itself.
pub(crate) type Root<'a> = Pin<&'a mut dyn Future<Output = ()>>;

/// The tasks of one loop.
pub(crate) struct Executor {
    pub(super) local_queue: Rc<LocalQueue>,
    /// Notified when a task is spawned between two turns.
    inbox: Arc<Inbox>,
    pub(super) ids: TaskIds,
    /// The record of the root, while `block_on` runs.
    pub(super) root: RefCell<Option<Header>>,
    /// The id of that root. Shared with the descriptions of roots.
    pub(super) root_id: Rc<Cell<Option<TaskId>>>,
    /// The future of the last root has completed.
    pub(super) root_returned: Cell<bool>,
    /// The slot of the task being polled.
    pub(super) running: Cell<u32>,
    /// The loop ends: a new task is dropped at once.
    is_closing: Cell<bool>,
    /// The turn before which the batch pauses to check whether it must end. 0: it pauses after the
    /// running turn: the root has ended, `call_soon` set a boundary, or `after_turn` is set.
    pub(super) pause_at: Cell<usize>,
    /// A batch is in progress.
    pub(super) is_in_batch: Cell<bool>,
    /// The last batch was out of time.
    pub(super) is_slow: Cell<bool>,
    /// The function to call after the running turn.
    pub(super) after_turn: Cell<Option<fn()>>,
    /// The slot at which the batch ends: the first `call_soon` of the batch. It runs in the next
    /// turn of the loop.
    pub(super) boundary: Cell<Option<u32>>,
    pub(super) hooks: Hooks,
}

impl Executor {
    pub(crate) fn new(id: LoopId, inbox: Arc<Inbox>, hooks: Hooks) -> Executor {
        Executor {
            local_queue: LocalQueue::new(id),
            inbox,
            ids: TaskIds::default(),
            root: RefCell::new(None),
            root_id: Rc::default(),
            root_returned: Cell::new(false),
            running: Cell::new(NO_TASK),
            is_closing: Cell::new(false),
            pause_at: Cell::new(0),
            is_in_batch: Cell::new(false),
            is_slow: Cell::new(false),
            after_turn: Cell::new(None),
            boundary: Cell::new(None),
            hooks,
        }
    }

    /// Makes a task and queues it. Drops its future instead if the loop ends.
    ///
    /// # Panics
    ///
    /// If the maximum number of tasks live: 4 billion, or 262,141 on 32-bit systems.
    pub(crate) fn spawn<F: Future + 'static>(
        &self,
        future: F,
        options: SpawnOptions,
    ) -> JoinHandle<F::Output> {
        let output = TaskCell::by_loop(self.ids.next(), options.spawned_at, future);
        let handle = JoinHandle::new(output);
        if let Some(name) = options.name {
            handle.header().set_name(name);
        }
        self.insert(handle.task(), options.is_eager);
        handle
    }

    /// Inserts a new task into the run queue.
    #[inline]
    fn insert(&self, task: &Task, is_eager: bool) {
        let is_in_turn = self.local_queue.is_in_turn();
        let is_run_at_once = self.is_closing() || (is_eager && is_in_turn);
        let id = self.local_queue.insert(task.clone(), !is_run_at_once);
        task.header().waker_id.set(id.expect(TOO_MANY));
        if self.has_observers() {
            self.observe_spawn(task.header());
        }
        if is_run_at_once {
            self.run_at_once(task);
        } else if !is_in_turn {
            // An event loop that embeds this one must begin a turn.
            self.inbox.notify();
        }
    }

    /// Spawns a task of this crate that is rare. Boxed futures share the code of one task type.
    pub(crate) fn spawn_boxed(
        &self,
        future: impl Future<Output = ()> + 'static,
        options: SpawnOptions,
    ) -> JoinHandle<()> {
        self.spawn(LocalFutureObj::new(Box::pin(future)), options)
    }

    /// Spawns a task that calls a function. A simulated world keeps the order of such tasks.
    pub(crate) fn spawn_call<F: Future + 'static>(
        &self,
        future: F,
        options: SpawnOptions,
    ) -> JoinHandle<F::Output> {
        let handle = self.spawn(future, options);
        if world::here().is_some() {
            handle.header().set(Flag::IsCall, true);
        }
        handle
    }

    /// Spawns a task that runs in the next turn of the loop, after all tasks that are ready now.
    pub(crate) fn call_soon<F: Future + 'static>(
        &self,
        future: F,
        options: SpawnOptions,
    ) -> JoinHandle<F::Output> {
        let handle = self.spawn_call(future, options);
        if self.local_queue.is_in_turn() && self.boundary.get().is_none() && !self.is_closing() {
            self.boundary.set(self.local_queue.with(|queue| queue.last()));
            self.pause_at.set(0);
        }
        handle
    }

    /// Queues a task that was woken from another thread or between two turns.
    pub(crate) fn wake(&self, id: WakerId) {
        self.local_queue.push(id);
    }

    /// Aborts a task, unless it has ended.
    pub(crate) fn abort(&self, waker_id: WakerId, id: TaskId) {
        // The slot may have another task by now.
        if let Some(task) = self.task(waker_id.slot()).filter(|task| task.header().id == id) {
            abort(task.header());
        }
    }

    /// Returns the number of ready tasks.
    pub(crate) fn ready(&self) -> usize {
        self.local_queue.with(|queue| queue.len())
    }

    /// Frees the memory of a burst of tasks after the burst, or a large piece of it.
    pub(crate) fn shrink(&self) {
        self.local_queue.with(|queue| queue.shrink());
        arena::shrink();
    }

    /// Returns whether [`shrink`](Executor::shrink) has left memory to its next call.
    pub(crate) fn is_shrinking(&self) -> bool {
        arena::is_behind()
    }

    /// Begins a turn: until it ends, wakers on this thread push straight to the run queue.
    pub(crate) fn begin_turn(&self) -> TurnGuard {
        self.local_queue.begin_turn()
    }

    /// Drops all tasks in the order of their spawns; tasks that destructors spawn are dropped at
    /// once. Returns the first panic that no task raised. Must be called in a turn.
    pub(crate) fn shutdown(&self) -> Option<Caught> {
        self.is_closing.set(true);
        let _debug = debug::set(self.hooks.mode());
        let mut panic = None;
        for task in self.local_queue.in_order_of_spawn() {
            // The destructor of an earlier task may have ended it: a child ends with its scope.
            if !task.header().is_finished() {
                panic = panic.or(catch(|| self.cancel(&task)).err());
            }
        }
        panic
    }

    /// Reports the panics that no handle will return. Returns the first panic of an instrument or
    /// of the handler.
    pub(crate) fn report_unhandled(&self) -> Option<Caught> {
        let mut panic = self.take_hook_panic();
        while let Some(error) = self.local_queue.take_unhandled() {
            panic = panic.or(catch(|| self.report(error)).err());
        }
        panic
    }

    /// Returns the id of the loop.
    pub(crate) fn loop_id(&self) -> LoopId {
        self.local_queue.id()
    }

    /// Returns whether the loop ends, or has ended.
    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.get()
    }

    /// Returns the task whose code runs, if it belongs to this loop.
    pub(crate) fn running(&self) -> Option<TaskInfo> {
        let info = self.info_at(self.running.get());
        info.filter(|info| Some(info.id()) == current::task())
    }

    /// Returns whether no task is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.root.borrow().is_none()
            && self.local_queue.with(|queue| queue.tasks().next().is_none())
    }

    /// Returns the number of tasks, with the root. Scans all slots.
    pub(crate) fn count(&self) -> usize {
        let root = usize::from(self.root.borrow().is_some());
        self.local_queue.with(|queue| queue.tasks().count()) + root
    }

    /// Returns all tasks, and the root, in the order of their spawns.
    pub(crate) fn all(&self) -> Vec<TaskInfo> {
        let mut all = Vec::new();
        for task in self.local_queue.in_order_of_spawn() {
            all.push(self.info(&task));
        }
        if let Some(root) = self.root_info() {
            let earlier = all.partition_point(|task| task.id() < root.id());
            all.insert(earlier, root);
        }
        all
    }

    /// Removes a task that has ended from its slot, and wakes its waiter.
    pub(super) fn end(&self, task: &impl Runnable) {
        // The slot first: the waiter's waker is user code, and may spawn or list tasks.
        self.remove_task(task.header());
        self.clear_running();
        if let Some(error) = wake_waiter(task) {
            self.report(error);
        }
    }

    /// Removes a task that has ended from its slot: the executor knows it no longer.
    pub(crate) fn remove_task(&self, header: &Header) {
        let slot = header.waker_id.get().slot();
        // Dropped after the borrow has ended: the destructor of a task is user code.
        let task = self.local_queue.with(|queue| queue.remove(slot));
        if self.has_observers() {
            self.observe_end(task.as_ref());
        }
        drop(task);
        if header.has_attachments() {
            self.call_at_end(header);
        }
    }

    /// Calls the handler with an error that no handle will return.
    pub(crate) fn report(&self, error: JoinError) {
        (self.hooks.on_task_error)(error);
    }

    /// Reports an error of the running task, or of `place` outside of a task. The handler is called
    /// at the end of the batch, when no task runs.
    pub(crate) fn report_error(&self, place: &'static Location<'static>, error: String) {
        let error = match (current::task(), self.task(self.running.get()), &*self.root.borrow()) {
            (Some(id), Some(task), _) if task.header().id == id => {
                JoinError::failed(task.header(), error)
            }
            (Some(id), _, Some(root)) if root.id == id => JoinError::failed(root, error),
            _ => JoinError::failed_outside(place, error),
        };
        store_unhandled(self.loop_id(), error);
    }

    /// Records that no task is being polled.
    pub(super) fn clear_running(&self) {
        self.running.set(NO_TASK);
        current::end_task();
    }

    pub(super) fn task(&self, slot: u32) -> Option<Task> {
        self.local_queue.with(|queue| queue.task(slot).cloned())
    }

    pub(super) fn info_at(&self, slot: u32) -> Option<TaskInfo> {
        match slot {
            NO_TASK => None,
            ROOT => self.root_info(),
            slot => self.task(slot).map(|task| self.info(&task)),
        }
    }

    pub(super) fn info(&self, task: &Task) -> TaskInfo {
        let header = task.header();
        TaskInfo::new(header, Place::Task(task.clone()), self.state(header))
    }

    pub(super) fn root_info(&self) -> Option<TaskInfo> {
        let root = self.root.borrow();
        let info =
            |header| TaskInfo::new(header, Place::Root(self.root_id.clone()), self.state(header));
        root.as_ref().map(info)
    }

    fn state(&self, header: &Header) -> TaskState {
        let slot = header.waker_id.get().slot();
        if header.is_running() {
            TaskState::Running
        } else if header.is_finished() {
            TaskState::Ended
        } else if header.has(Flag::IsReady) || self.local_queue.with(|queue| queue.is_queued(slot))
        {
            TaskState::Ready
        } else {
            TaskState::Waiting
        }
    }
}
