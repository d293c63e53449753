//! The run queue of the loop that is in a turn on this thread.
//!
//! While a loop is in a turn, its queue lies in a thread-local, where a waker reaches it in a few
//! instructions and without an atomic; otherwise it is at home, and the loop is woken as from
//! another thread, so that who watches it from outside is told. The thread-local has no destructor:
//! a waker may be used while the thread ends. Invariant: it holds the queue of the loop that
//! `current` names.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem::{self, ManuallyDrop};
use std::ptr;
use std::rc::Rc;

use super::join_error::JoinError;
use super::run_queue::RunQueue;
use super::runnable::Runnable;
use crate::current::{self, LoopId, Outer, WakerId};
use crate::threads::inbox;

type Queue = RunQueue<Rc<dyn Runnable>>;

/// Where the queue of a loop is between its turns.
pub(crate) struct LocalQueue {
    id: LoopId,
    queue: RefCell<Queue>,
    /// Panics of tasks whose handles were dropped in the loop's turns, until the loop reports them.
    lost: RefCell<VecDeque<JoinError>>,
}

/// The loop is in a turn until this is dropped; then the one that was before is again.
pub(crate) struct TurnGuard {
    local_queue: Rc<LocalQueue>,
    outer_home: Option<Rc<LocalQueue>>,
    _outer: Outer,
}

struct Running {
    local_queue: RefCell<Option<Rc<LocalQueue>>>,
    /// The address of `local_queue`, to be compared.
    here: Cell<*const LocalQueue>,
    queue: RefCell<Queue>,
}

thread_local! {
    static RUNNING: ManuallyDrop<Running> = const {
        ManuallyDrop::new(Running {
            local_queue: RefCell::new(None),
            here: Cell::new(ptr::null()),
            queue: RefCell::new(RunQueue::new()),
        })
    };
}

impl LocalQueue {
    /// Of a loop without tasks.
    pub(crate) fn new(id: LoopId) -> Rc<LocalQueue> {
        let queue = RefCell::new(RunQueue::new());
        Rc::new(LocalQueue { id, queue, lost: RefCell::default() })
    }

    pub(crate) fn id(&self) -> LoopId {
        self.id
    }

    /// Whether this very loop is in a turn on this thread, and no other inside of it. An id would
    /// not do: the id of a loop that has ended is given to another.
    #[inline]
    pub(crate) fn is_in_turn(&self) -> bool {
        RUNNING.with(|running| ptr::eq(running.here.get(), self))
    }

    /// Begins a turn.
    pub(crate) fn begin_turn(self: &Rc<Self>) -> TurnGuard {
        let outer_home = enter(Some(self.clone()));
        if let Some(outer) = &outer_home {
            outer.swap();
        }
        self.swap();
        TurnGuard { local_queue: self.clone(), outer_home, _outer: current::begin_turn(self.id) }
    }

    /// Takes a panic that nobody else will hear of.
    pub(crate) fn take_lost(&self) -> Option<JoinError> {
        self.lost.borrow_mut().pop_front()
    }

    /// Gives the queue to `f`, wherever it is. `f` must not run anything foreign.
    #[inline]
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Queue) -> T) -> T {
        if self.is_in_turn() {
            RUNNING.with(|running| f(&mut running.queue.borrow_mut()))
        } else {
            f(&mut self.queue.borrow_mut())
        }
    }

    /// Carries the queue from home to the thread-local, or back.
    fn swap(&self) {
        RUNNING.with(|running| {
            mem::swap(&mut *running.queue.borrow_mut(), &mut *self.queue.borrow_mut());
        });
    }
}

impl Drop for TurnGuard {
    fn drop(&mut self) {
        self.local_queue.swap();
        if let Some(outer) = &self.outer_home {
            outer.swap();
        }
        let local_queue = enter(self.outer_home.take());
        drop(local_queue);
    }
}

/// Makes a loop the one that is in a turn. Returns the one before.
fn enter(local_queue: Option<Rc<LocalQueue>>) -> Option<Rc<LocalQueue>> {
    RUNNING.with(|running| {
        running.here.set(local_queue.as_deref().map_or(ptr::null(), ptr::from_ref));
        running.local_queue.replace(local_queue)
    })
}

/// Wakes a task, of this loop or of any other.
#[inline]
pub(crate) fn wake(id: WakerId) {
    if current::loop_id() != id.in_loop() {
        return inbox::wake(id);
    }
    RUNNING.with(|running| running.queue.borrow_mut().push(id));
}

/// Takes the slot that waited longest in the loop that is in a turn. Nobody is the root.
#[inline]
pub(crate) fn pop() -> Option<(u32, Option<Rc<dyn Runnable>>)> {
    RUNNING.with(|running| running.queue.borrow_mut().pop())
}

/// A panic that nobody will hear of is left to the loop that is in a turn. If none is, the panic
/// hook alone reported it.
#[cold]
pub(crate) fn lose(panic: JoinError) {
    let local_queue = RUNNING.with(|running| running.local_queue.borrow().clone());
    if let Some(local_queue) = local_queue {
        local_queue.lost.borrow_mut().push_back(panic);
    }
}
