//! L2: the tasks of one loop, and running a batch of them.
//!
//! Tasks live in a slab; a task's slot in the run queue is its key and one, since slot 0 is the
//! root: the future of `block_on`, which stays on the caller's stack. Invariant: nothing is
//! borrowed while a future is polled or dropped or a waker is woken.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use slab::Slab;

use crate::budget;
use crate::cell::TaskCell;
use crate::current::Queue;
use crate::info::{Birth, Header, TaskId, TaskIds, TaskInfo, TaskState};
use crate::join::{JoinError, JoinHandle, Progress, Task};
use crate::run_queue::ROOT;
use crate::waker::waker;
use crate::waker_id::{LoopId, SLOT_MAX, WakerId};

/// `running` when no task is being polled.
const NOBODY: u32 = u32::MAX;

/// What the loop does with the panic of a task that nobody awaits.
pub(crate) type PanicHandler = Box<dyn Fn(JoinError)>;

/// The future of `block_on`: it leaves its output elsewhere.
pub(crate) type Root<'a> = Pin<&'a mut dyn Future<Output = ()>>;

/// The tasks of one loop.
pub(crate) struct Executor {
    id: LoopId,
    queue: Queue,
    tasks: RefCell<Slab<Rc<dyn Task>>>,
    ids: TaskIds,
    /// Of the few tasks that have one.
    names: RefCell<BTreeMap<TaskId, Rc<str>>>,
    /// The record of the future that `block_on` runs, while it does.
    root: RefCell<Option<Header>>,
    /// The slot of the task being polled.
    running: Cell<u32>,
    /// The loop ends: what is spawned now is dropped at once.
    is_closing: Cell<bool>,
    on_panic: PanicHandler,
}

/// The time in which a root runs. Dropped, the root's wakers are stale.
pub(crate) struct RootRecord<'a>(&'a Executor);

/// Puts back what a batch changes, if the root panics too.
struct Outside<'a> {
    executor: &'a Executor,
    budget: u32,
}

/// What a batch did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Batch {
    /// Futures polled.
    pub(crate) polled: usize,
    /// The root completed: its output is there.
    pub(crate) root_done: bool,
}

impl Executor {
    pub(crate) fn new(id: LoopId, queue: Queue, on_panic: Option<PanicHandler>) -> Executor {
        Executor {
            id,
            queue,
            tasks: RefCell::default(),
            ids: TaskIds::default(),
            names: RefCell::default(),
            root: RefCell::new(None),
            running: Cell::new(NOBODY),
            is_closing: Cell::new(false),
            on_panic: on_panic.unwrap_or_else(|| Box::new(|error| eprintln!("evloop: {error}"))),
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
        birth: Birth,
    ) -> JoinHandle<F::Output> {
        let Birth { id, name, spawned_at } = birth;
        let id = id.unwrap_or_else(|| self.ids.next());
        let parent = self.running_id();
        let polls = Cell::new(0);
        if self.is_closing.get() {
            // Nobody will wake it: it ends here.
            let waker_id = WakerId::new(self.id, 0, ROOT);
            let header = Header { id, parent, spawned_at, waker_id, polls };
            let task = Rc::new(TaskCell::new(header, future));
            self.settle(task.cancel());
            return JoinHandle::new(task);
        }
        let mut tasks = self.tasks.borrow_mut();
        let entry = tasks.vacant_entry();
        let slot = u32::try_from(entry.key() + 1).ok().filter(|slot| *slot <= SLOT_MAX);
        let slot = slot.expect("too many tasks live in one event loop to spawn another");
        let waker_id = self.queue.borrow_mut().open(self.id, slot);
        let header = Header { id, parent, spawned_at, waker_id, polls };
        let task = Rc::new(TaskCell::new(header, future));
        entry.insert(task.clone());
        drop(tasks);
        self.queue.borrow_mut().push(waker_id);
        if let Some(name) = name {
            self.names.borrow_mut().insert(id, name);
        }
        JoinHandle::new(task)
    }

    /// Queues a task that was woken from elsewhere.
    pub(crate) fn wake(&self, id: WakerId) {
        self.queue.borrow_mut().push(id);
    }

    /// How many tasks are ready to run.
    pub(crate) fn ready(&self) -> usize {
        self.queue.borrow().len()
    }

    /// Begins to run a root: gives it a record, until what it returns is dropped, and queues it.
    pub(crate) fn begin_root(&self, spawned_at: &'static Location<'static>) -> RootRecord<'_> {
        let waker_id = self.queue.borrow_mut().open(self.id, ROOT);
        let id = self.ids.next();
        let header = Header { id, parent: None, spawned_at, waker_id, polls: Cell::new(0) };
        self.root.replace(Some(header));
        self.queue.borrow_mut().push(waker_id);
        RootRecord(self)
    }

    /// Polls what is ready, first in first out, until nothing is or `polls_max` futures were polled
    /// or the root is done. A panic of the root goes through.
    pub(crate) fn run_batch(&self, mut root: Option<Root<'_>>, polls_max: usize) -> Batch {
        let mut batch = Batch::default();
        let _outside = Outside { executor: self, budget: budget::replace(0) };
        while batch.polled < polls_max && !batch.root_done {
            let Some(slot) = self.queue.borrow_mut().pop() else { break };
            budget::refill();
            self.running.set(slot);
            if slot != ROOT {
                batch.polled += usize::from(self.run_task(slot));
            } else if let Some(root) = &mut root {
                batch.polled += 1;
                batch.root_done = self.poll_root(root.as_mut()).is_ready();
            }
        }
        batch
    }

    /// Drops all tasks in the order they were spawned, and what their destructors spawn at once.
    pub(crate) fn shutdown(&self) {
        self.is_closing.set(true);
        let tasks = self.tasks.take();
        let mut tasks: Vec<_> = tasks.into_iter().map(|(_, task)| task).collect();
        tasks.sort_by_key(|task| task.header().id);
        for task in tasks {
            self.settle(task.cancel());
        }
        self.names.take();
    }

    /// The task being polled.
    pub(crate) fn running(&self) -> Option<TaskInfo> {
        match self.running.get() {
            NOBODY => None,
            ROOT => self.root.borrow().as_ref().map(|header| self.info(header)),
            slot => self.task(slot).map(|task| self.info(task.header())),
        }
    }

    /// All tasks in the order they were spawned, the root among them.
    pub(crate) fn all(&self) -> Vec<TaskInfo> {
        let tasks = self.tasks.borrow();
        let mut all: Vec<_> = tasks.iter().map(|(_, task)| self.info(task.header())).collect();
        all.extend(self.root.borrow().as_ref().map(|header| self.info(header)));
        all.sort_by_key(TaskInfo::id);
        all
    }

    fn poll_root(&self, root: Root<'_>) -> Poll<()> {
        let header = self.root.borrow();
        let Some(Header { waker_id, polls, .. }) = &*header else { return Poll::Pending };
        polls.set(polls.get().wrapping_add(1));
        let waker = waker(*waker_id);
        drop(header);
        root.poll(&mut Context::from_waker(&waker))
    }

    /// Polls the task in `slot`. Returns whether there was one.
    fn run_task(&self, slot: u32) -> bool {
        let Some(task) = self.task(slot) else { return false };
        let progress = task.poll(&waker(task.header().waker_id));
        if !matches!(progress, Progress::Pending) {
            self.forget(slot, task.header().id);
            self.settle(progress);
        }
        true
    }

    /// Takes an ended task out of the slab; if it is still queued, when its turn comes.
    fn forget(&self, slot: u32, id: TaskId) {
        let still_queued = self.queue.borrow_mut().retire(slot);
        if still_queued {
            return;
        }
        let task = self.tasks.borrow_mut().remove(slot as usize - 1);
        drop(task);
        if !self.names.borrow().is_empty() {
            self.names.borrow_mut().remove(&id);
        }
    }

    /// Tells of a task's end, now that nothing knows the task any more.
    fn settle(&self, progress: Progress) {
        match progress {
            Progress::Finished(Some(waiter)) => waiter.wake(),
            Progress::Lost(error) => (self.on_panic)(error),
            Progress::Finished(None) | Progress::Pending => {}
        }
    }

    fn task(&self, slot: u32) -> Option<Rc<dyn Task>> {
        self.tasks.borrow().get(slot as usize - 1).cloned()
    }

    fn running_id(&self) -> Option<TaskId> {
        match self.running.get() {
            NOBODY => None,
            ROOT => self.root.borrow().as_ref().map(|header| header.id),
            slot => self.tasks.borrow().get(slot as usize - 1).map(|task| task.header().id),
        }
    }

    fn info(&self, header: &Header) -> TaskInfo {
        let slot = header.waker_id.slot();
        let state = if self.running.get() == slot {
            TaskState::Running
        } else if self.queue.borrow().is_queued(slot) {
            TaskState::Ready
        } else {
            TaskState::Waiting
        };
        TaskInfo::new(header, self.names.borrow().get(&header.id).cloned(), state)
    }
}

impl Drop for Outside<'_> {
    fn drop(&mut self) {
        self.executor.running.set(NOBODY);
        budget::replace(self.budget);
    }
}

impl Drop for RootRecord<'_> {
    fn drop(&mut self) {
        self.0.root.replace(None);
        self.0.queue.borrow_mut().retire(ROOT);
    }
}
