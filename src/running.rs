//! L1: the run queue of the loop that is in a turn on this thread.
//!
//! While a loop is in a turn, its queue lies in a thread-local, where a waker reaches it in a few
//! instructions and without an atomic; otherwise it is at home, and the loop is woken as from
//! another thread, so that who watches it from outside is told. The thread-local has no destructor:
//! a waker may be used while the thread ends. Invariant: it holds the queue of the loop that
//! `current` names.

use std::cell::RefCell;
use std::mem::{self, ManuallyDrop};
use std::rc::Rc;

use crate::current;
use crate::inbox;
use crate::join_error::JoinError;
use crate::run::Run;
use crate::run_queue::RunQueue;
use crate::waker_id::{LoopId, WakerId};

type Queue = RunQueue<Rc<dyn Run>>;

/// Where the queue of a loop is between its turns.
pub(crate) struct Home {
    id: LoopId,
    queue: RefCell<Queue>,
}

/// The loop is in a turn until this is dropped; then the one that was before is again.
pub(crate) struct InTurn {
    home: Rc<Home>,
    outer: Option<Rc<Home>>,
}

struct Running {
    home: RefCell<Option<Rc<Home>>>,
    queue: RefCell<Queue>,
    /// Panics of tasks whose handles were dropped since the loop last asked.
    lost: RefCell<Vec<JoinError>>,
}

thread_local! {
    static RUNNING: ManuallyDrop<Running> = const {
        ManuallyDrop::new(Running {
            home: RefCell::new(None),
            queue: RefCell::new(RunQueue::new()),
            lost: RefCell::new(Vec::new()),
        })
    };
}

impl Home {
    /// Of a loop without tasks.
    pub(crate) fn new(id: LoopId) -> Rc<Home> {
        Rc::new(Home { id, queue: RefCell::new(RunQueue::new()) })
    }

    pub(crate) fn id(&self) -> LoopId {
        self.id
    }

    /// Whether this very loop is in a turn on this thread, and no other inside of it.
    pub(crate) fn is_in_turn(&self) -> bool {
        current::loop_id() == self.id
    }

    /// Begins a turn.
    pub(crate) fn begin_turn(self: &Rc<Self>) -> InTurn {
        let outer = RUNNING.with(|running| running.home.replace(Some(self.clone())));
        if let Some(outer) = &outer {
            outer.swap();
        }
        self.swap();
        current::replace_loop(self.id);
        InTurn { home: self.clone(), outer }
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

impl Drop for InTurn {
    fn drop(&mut self) {
        self.home.swap();
        if let Some(outer) = &self.outer {
            outer.swap();
        }
        current::replace_loop(self.outer.as_ref().map_or(0, |outer| outer.id));
        let home = RUNNING.with(|running| running.home.replace(self.outer.take()));
        drop(home);
    }
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
pub(crate) fn pop() -> Option<(u32, Option<Rc<dyn Run>>)> {
    RUNNING.with(|running| running.queue.borrow_mut().pop())
}

/// A panic that nobody will hear of is left to the loop that is in a turn. If none is, it was told
/// by the panic hook alone.
pub(crate) fn lose(panic: JoinError) {
    if current::is_running() {
        RUNNING.with(|running| running.lost.borrow_mut().push(panic));
    }
}

/// Takes the panics that nobody will hear of.
pub(crate) fn take_lost() -> Vec<JoinError> {
    RUNNING.with(|running| running.lost.take())
}
