//! The run queue of the loop that is in a turn on this thread.
//!
//! While a loop is in a turn, its queue lies in a thread-local. A waker reaches it there in a few
//! instructions and without an atomic. Between two turns the queue lies in its `LocalQueue`, and a
//! wake goes through the inbox, as from another thread: so an event loop that embeds this one is
//! notified. The thread-local has no destructor, since a waker may be used while the thread ends.
//! Invariant: the thread-local holds the queue of the loop that `current` names.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem::{self, ManuallyDrop};
use std::ops::Range;
use std::ptr;
use std::rc::{Rc, Weak};

use super::arena;
use super::header::Header;
use super::join_error::JoinError;
use super::run_queue::RunQueue;
use super::spans;
use super::task_memory::Task;
use crate::current::{self, LoopId, Outer, TaskId, WakerId};
use crate::order;
use crate::threads::registry;

type Queue = RunQueue<Task>;

/// Holds the queue of a loop between its turns.
pub(crate) struct LocalQueue {
    id: LoopId,
    queue: RefCell<Queue>,
    /// The panics of tasks whose handles were dropped in a turn, until the loop reports them.
    unhandled: RefCell<VecDeque<JoinError>>,
}

/// Keeps the loop in a turn until it is dropped. Its drop restores the outer loop.
pub(crate) struct TurnGuard {
    local_queue: Rc<LocalQueue>,
    outer_queue: Option<Rc<LocalQueue>>,
    _outer: Outer,
}

struct Running {
    local_queue: RefCell<Option<Rc<LocalQueue>>>,
    /// The address of `local_queue`: comparing it needs no borrow.
    address: Cell<*const LocalQueue>,
    queue: RefCell<Queue>,
}

thread_local! {
    static RUNNING: ManuallyDrop<Running> = const {
        ManuallyDrop::new(Running {
            local_queue: RefCell::new(None),
            address: Cell::new(ptr::null()),
            queue: RefCell::new(RunQueue::new()),
        })
    };
    /// The loops of this thread. Empty, it holds no memory.
    static LOOPS: ManuallyDrop<RefCell<Vec<Weak<LocalQueue>>>> =
        const { ManuallyDrop::new(RefCell::new(Vec::new())) };
}

impl LocalQueue {
    /// Makes the queue of a loop without tasks.
    pub(crate) fn new(id: LoopId) -> Rc<LocalQueue> {
        let queue = RefCell::new(RunQueue::new());
        let local_queue = Rc::new(LocalQueue { id, queue, unhandled: RefCell::default() });
        LOOPS.with(|loops| loops.borrow_mut().push(Rc::downgrade(&local_queue)));
        arena::add_loop();
        local_queue
    }

    pub(crate) fn id(&self) -> LoopId {
        self.id
    }

    /// Returns whether this loop is the innermost one in a turn on this thread. Compares addresses,
    /// not ids: the id of a loop that has ended is reused.
    #[inline]
    pub(crate) fn is_in_turn(&self) -> bool {
        RUNNING.with(|running| running.is_of(self))
    }

    /// Begins a turn.
    pub(crate) fn begin_turn(self: &Rc<Self>) -> TurnGuard {
        let outer_queue = enter(Some(self.clone()));
        // The outer loop's queue must leave the thread-local before this one moves in.
        if let Some(outer) = &outer_queue {
            outer.swap();
        }
        self.swap();
        TurnGuard { local_queue: self.clone(), outer_queue, _outer: current::begin_turn(self.id) }
    }

    /// Takes a panic that no handle will return.
    pub(crate) fn take_unhandled(&self) -> Option<JoinError> {
        self.unhandled.borrow_mut().pop_front()
    }

    /// Calls `f` with the queue, which is borrowed: `f` must not run user code.
    #[inline]
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Queue) -> T) -> T {
        RUNNING.with(|running| f(&mut running.queue_of(self).borrow_mut()))
    }

    /// Inserts a task into a vacant slot, as [`RunQueue::insert`] does.
    #[inline]
    pub(super) fn insert(&self, task: Task, is_ready: bool) -> Option<WakerId> {
        self.with(|queue| queue.insert(self.id, task, is_ready))
    }

    /// Returns the tasks in a range of slots but the root, in the order of their slots.
    pub(super) fn tasks_in(&self, slots: Range<u32>) -> Vec<Task> {
        self.with(|queue| {
            let mut tasks = Vec::new();
            for task in queue.tasks_in(slots) {
                tasks.push(task.clone());
            }
            tasks
        })
    }

    /// Returns all tasks but the root, in the order of their spawns.
    pub(super) fn in_order_of_spawn(&self) -> Vec<Task> {
        let mut tasks = self.tasks_in(0..u32::MAX);
        order::sort(&mut tasks, |task| task.header().id.number());
        tasks
    }

    /// Queues a task of this loop that was woken.
    pub(crate) fn push(&self, id: WakerId) {
        RUNNING.with(|running| spans::push(running.queue_of(self), id, id_of));
    }

    /// Moves the queue into the thread-local, or back.
    fn swap(&self) {
        RUNNING.with(|running| {
            mem::swap(&mut *running.queue.borrow_mut(), &mut *self.queue.borrow_mut());
        });
    }
}

impl Running {
    /// Returns whether this is the loop that is in a turn.
    #[inline]
    fn is_of(&self, local_queue: &LocalQueue) -> bool {
        ptr::eq(self.address.get(), local_queue)
    }

    /// Returns where the queue of a loop is now.
    #[inline]
    fn queue_of<'a>(&'a self, local_queue: &'a LocalQueue) -> &'a RefCell<Queue> {
        if self.is_of(local_queue) { &self.queue } else { &local_queue.queue }
    }
}

impl Drop for LocalQueue {
    fn drop(&mut self) {
        LOOPS.with(|loops| {
            let mut loops = loops.borrow_mut();
            loops.retain(|local_queue| !ptr::eq(local_queue.as_ptr(), self));
            if loops.is_empty() {
                *loops = Vec::new();
            }
        });
        arena::remove_loop();
    }
}

impl Drop for TurnGuard {
    fn drop(&mut self) {
        self.local_queue.swap();
        if let Some(outer) = &self.outer_queue {
            outer.swap();
        }
        // Dropped after the borrow in `enter` has ended: it may be the last reference.
        let local_queue = enter(self.outer_queue.take());
        drop(local_queue);
    }
}

/// Makes a loop the one that is in a turn. Returns the previous one.
fn enter(local_queue: Option<Rc<LocalQueue>>) -> Option<Rc<LocalQueue>> {
    RUNNING.with(|running| {
        running.address.set(local_queue.as_deref().map_or(ptr::null(), ptr::from_ref));
        running.local_queue.replace(local_queue)
    })
}

fn id_of(task: &Task) -> TaskId {
    task.header().id
}

/// Wakes a task, of this loop or of any other.
#[inline]
pub(crate) fn wake(id: WakerId) {
    if current::loop_id() != id.in_loop() {
        return registry::wake(id);
    }
    RUNNING.with(|running| spans::push(&running.queue, id, id_of));
}

/// Wakes a task of the loop that is in a turn on this thread. Returns `false` for a task of another
/// loop, and if subscribers of `tracing` receive wakes: a subscriber is user code.
#[inline]
pub(super) fn wake_local(id: WakerId) -> bool {
    if spans::ARE_MADE || current::loop_id() != id.in_loop() {
        return false;
    }
    RUNNING.with(|running| running.queue.borrow_mut().push(id));
    true
}

/// Aborts a task: marks it, and queues the turn that drops its future.
pub(crate) fn abort(header: &Header) {
    if header.abort() {
        wake(header.waker_id.get());
    }
}

/// Takes the longest-waiting slot of the loop that is in a turn. The root's slot holds no task.
#[inline]
pub(crate) fn pop() -> Option<(u32, Option<Task>)> {
    RUNNING.with(|running| running.queue.borrow_mut().pop())
}

/// Stores a panic that no handle will return, for the loop of its task to report. If that has
/// ended, the loop that is in a turn reports it; outside a turn only the panic hook has reported
/// it.
#[cold]
pub(crate) fn store_unhandled(in_loop: LoopId, panic: JoinError) {
    let mut of_task = None;
    LOOPS.with(|loops| {
        for local_queue in &*loops.borrow() {
            of_task = of_task.take().or(local_queue.upgrade().filter(|it| it.id == in_loop));
        }
    });
    let in_turn = RUNNING.with(|running| running.local_queue.borrow().clone());
    if let Some(local_queue) = of_task.or(in_turn) {
        local_queue.unhandled.borrow_mut().push_back(panic);
    }
}
