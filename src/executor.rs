//! L2: the tasks of one loop, and running a batch of them.
//!
//! Tasks live in a slab; a task's slot in the run queue is its key and one, since slot 0 is the
//! root: the future of `block_on`, which stays on the caller's stack. Invariant: nothing is
//! borrowed while a future is polled or dropped or a waker is woken.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use slab::Slab;

use crate::budget;
use crate::cell::{self, Task};
use crate::current::{self, Queue};
use crate::inbox::Inbox;
use crate::info::{Birth, Header, State, TaskId, TaskIds, TaskInfo, TaskState};
use crate::join::JoinHandle;
use crate::join_error::{JoinError, Payload};
use crate::run_queue::{self, ROOT};
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
    /// Told of what is spawned between two turns.
    inbox: Arc<Inbox>,
    tasks: RefCell<Slab<Rc<Task>>>,
    ids: TaskIds,
    /// Of the few tasks that have one.
    names: RefCell<BTreeMap<TaskId, Rc<str>>>,
    /// The record of the future that `block_on` runs, while it does.
    root: RefCell<Option<Header>>,
    /// The slot of the task being polled, and the task's id.
    running: Cell<u32>,
    running_id: Cell<Option<TaskId>>,
    /// The loop ends: what is spawned now is dropped at once.
    is_closing: Cell<bool>,
    on_panic: PanicHandler,
}

/// The time in which a root runs. Dropped, the root's wakers are stale.
pub(crate) struct RootRecord<'a>(&'a Executor);

/// Puts back what a batch changes, if the root panics too.
struct Outside<'a> {
    executor: &'a Executor,
    budget: u64,
}

/// What a batch did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Batch {
    /// Turns of tasks, and of the root.
    turns: usize,
    /// Those in which a future was polled, and not dropped because its task was aborted.
    pub(crate) polled: usize,
    /// The root completed: its output is there.
    pub(crate) root_done: bool,
}

impl Executor {
    pub(crate) fn new(
        id: LoopId,
        queue: Queue,
        inbox: Arc<Inbox>,
        on_panic: Option<PanicHandler>,
    ) -> Executor {
        Executor {
            id,
            queue,
            inbox,
            tasks: RefCell::default(),
            ids: TaskIds::default(),
            names: RefCell::default(),
            root: RefCell::new(None),
            running: Cell::new(NOBODY),
            running_id: Cell::new(None),
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
        let Birth { name, spawned_at } = birth;
        let id = self.ids.next();
        let parent = self.running_id.get();
        if self.is_closing.get() {
            // Nobody will wake it: it ends here.
            let waker_id = WakerId::new(self.id, 0, ROOT);
            let (task, joined) = cell::task(Header::new(id, parent, spawned_at, waker_id), future);
            self.cancel(&task);
            return JoinHandle::new(joined);
        }
        let mut tasks = self.tasks.borrow_mut();
        if tasks.len() == tasks.capacity() {
            let more = run_queue::more(tasks.len());
            tasks.reserve_exact(more);
        }
        let entry = tasks.vacant_entry();
        let slot = u32::try_from(entry.key() + 1).ok().filter(|slot| *slot <= SLOT_MAX);
        let slot = slot.expect("too many tasks live in one event loop to spawn another");
        let waker_id = self.queue.borrow_mut().admit(self.id, slot);
        let (task, joined) = cell::task(Header::new(id, parent, spawned_at, waker_id), future);
        entry.insert(task);
        drop(tasks);
        if !current::is(self.id) {
            // Who watches the loop from outside must be told.
            self.inbox.notify();
        }
        if let Some(name) = name {
            self.names.borrow_mut().insert(id, name);
        }
        JoinHandle::new(joined)
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
        let waker_id = self.queue.borrow_mut().admit(self.id, ROOT);
        let id = self.ids.next();
        let header = Header::new(id, None, spawned_at, waker_id);
        self.root.replace(Some(header));
        RootRecord(self)
    }

    /// Runs what is ready, first in first out, until nothing is or `turns_max` turns were given or
    /// the root is done. A panic of the root goes through.
    pub(crate) fn run_batch(&self, mut root: Option<Root<'_>>, turns_max: usize) -> Batch {
        let mut batch = Batch::default();
        let _outside = Outside { executor: self, budget: budget::replace(0) };
        // Caught once for the batch: a panic is rare, and ends one task's part of it.
        while let Err(payload) =
            catch_unwind(AssertUnwindSafe(|| self.run(&mut root, turns_max, &mut batch)))
        {
            self.recover(payload);
        }
        batch
    }

    /// Drops all tasks in the order they were spawned, and what their destructors spawn at once.
    /// Returns the first panic that was not a task's.
    pub(crate) fn shutdown(&self) -> Option<Payload> {
        self.is_closing.set(true);
        let mut panic = None;
        let tasks = self.tasks.take();
        let mut tasks: Vec<_> = tasks.into_iter().map(|(_, task)| task).collect();
        tasks.sort_by_key(|task| task.header.id);
        for task in tasks {
            panic = panic.or(catch_unwind(AssertUnwindSafe(|| self.cancel(&task))).err());
        }
        self.names.take();
        panic
    }

    /// The task being polled.
    pub(crate) fn running(&self) -> Option<TaskInfo> {
        match self.running.get() {
            NOBODY => None,
            ROOT => self.root.borrow().as_ref().map(|header| self.info(header)),
            slot => self.task(slot).map(|task| self.info(&task.header)),
        }
    }

    /// All tasks in the order they were spawned, the root among them.
    pub(crate) fn all(&self) -> Vec<TaskInfo> {
        let tasks = self.tasks.borrow();
        let live = tasks.iter().filter(|(_, task)| !task.header.is_finished());
        let mut all: Vec<_> = live.map(|(_, task)| self.info(&task.header)).collect();
        all.extend(self.root.borrow().as_ref().map(|header| self.info(header)));
        all.sort_by_key(TaskInfo::id);
        all
    }

    fn poll_root(&self, root: Root<'_>) -> Poll<()> {
        let header = self.root.borrow();
        let Some(Header { id, waker_id, polls, .. }) = &*header else { return Poll::Pending };
        self.running_id.set(Some(*id));
        polls.set(polls.get().wrapping_add(1));
        let waker = waker(*waker_id);
        drop(header);
        root.poll(&mut Context::from_waker(&waker))
    }

    fn run(&self, root: &mut Option<Root<'_>>, turns_max: usize, batch: &mut Batch) {
        while batch.turns < turns_max && !batch.root_done {
            let Some(slot) = self.queue.borrow_mut().pop() else { break };
            batch.turns += 1;
            budget::refill();
            self.running.set(slot);
            if slot != ROOT {
                self.run_task(slot, batch);
            } else if let Some(root) = root {
                batch.polled += 1;
                batch.root_done = self.poll_root(root.as_mut()).is_ready();
            }
        }
    }

    /// Polls the task in `slot`, unless it ended while it was queued.
    #[inline]
    fn run_task(&self, slot: u32, batch: &mut Batch) {
        let Some(task) = self.task(slot) else { return };
        match task.header.state.get() {
            State::Done | State::Taken => return self.end(&task),
            State::Aborted => {}
            _ => batch.polled += 1,
        }
        self.running_id.set(Some(task.header.id));
        // A waker of ours has nothing to drop.
        let waker = ManuallyDrop::new(waker(task.header.waker_id));
        if task.poll(&waker) {
            self.end(&task);
        }
    }

    /// Goes on after a panic of the running task. Any other panic goes through: the root's, one of
    /// a waker that is not ours, one of the panic handler.
    fn recover(&self, payload: Payload) {
        let is_busy =
            |task: &Rc<Task>| matches!(task.header.state.get(), State::Busy | State::BusyAborted);
        let task = match self.running.get() {
            ROOT | NOBODY => None,
            slot => self.task(slot).filter(is_busy),
        };
        let Some(task) = task else { resume_unwind(payload) };
        task.recover(payload);
        self.end(&task);
    }

    /// Aborts a task that is in the slab no more.
    fn cancel(&self, task: &Task) {
        if task.header.is_finished() {
            return;
        }
        task.header.abort();
        let waker = waker(task.header.waker_id);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| task.poll(&waker))) {
            task.recover(payload);
        }
        self.tell(task);
    }

    /// Takes an ended task out of the slab, or, if it is still queued, leaves that to its turn.
    fn end(&self, task: &Task) {
        let Header { id, waker_id, .. } = task.header;
        let slot = waker_id.slot();
        let still_queued = self.queue.borrow_mut().retire(slot);
        if still_queued {
            return self.tell(task);
        }
        let removed = self.tasks.borrow_mut().remove(slot as usize - 1);
        drop(removed);
        if !self.names.borrow().is_empty() {
            self.names.borrow_mut().remove(&id);
        }
        self.tell(task);
    }

    /// Tells of a task's end, now that the executor knows it no more. Once. A panic in here is not
    /// the task's.
    fn tell(&self, task: &Task) {
        self.leave();
        if task.header.is_detached.get() {
            if let Some(error) = task.discard() {
                self.report(error);
            }
        } else if let Some(waiter) = task.header.waiter.take() {
            waiter.wake();
        }
    }

    /// Tells the handler of a panic that nobody else will hear of.
    pub(crate) fn report(&self, error: JoinError) {
        (self.on_panic)(error);
    }

    /// No task is being polled.
    fn leave(&self) {
        self.running.set(NOBODY);
        self.running_id.set(None);
    }

    fn task(&self, slot: u32) -> Option<Rc<Task>> {
        self.tasks.borrow().get(slot as usize - 1).cloned()
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
        self.executor.leave();
        budget::replace(self.budget);
    }
}

impl Drop for RootRecord<'_> {
    fn drop(&mut self) {
        self.0.root.replace(None);
        self.0.queue.borrow_mut().retire(ROOT);
    }
}
