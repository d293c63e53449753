//! L0: the loop that runs on this thread, as far as a waker must know it.
//!
//! A wake on the loop's own thread pushes to the loop's queue: a few instructions, no atomic. The
//! thread-local has no destructor: a waker may be used while the thread ends. Invariant: `loop_id`
//! and `queue` belong to the same loop: the innermost that is in a turn. A loop between two turns
//! is woken as from another thread, so that who watches it from outside is told.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::rc::Rc;

use crate::inbox;
use crate::run_queue::RunQueue;
use crate::waker_id::{LoopId, WakerId};

/// The queue of a loop, as its executor and the wakers on its thread share it.
pub(crate) type Queue = Rc<RefCell<RunQueue>>;

/// The loop runs until this is dropped; then the one that ran before does again.
pub(crate) struct Running {
    outer_id: LoopId,
    outer: Option<Queue>,
}

struct Current {
    /// 0: no loop runs here.
    loop_id: Cell<LoopId>,
    queue: RefCell<Option<Queue>>,
}

thread_local! {
    static CURRENT: ManuallyDrop<Current> = const {
        ManuallyDrop::new(Current { loop_id: Cell::new(0), queue: RefCell::new(None) })
    };
}

/// Makes a loop the running one.
pub(crate) fn run(loop_id: LoopId, queue: Queue) -> Running {
    CURRENT.with(|current| Running {
        outer_id: current.loop_id.replace(loop_id),
        outer: current.queue.replace(Some(queue)),
    })
}

impl Drop for Running {
    fn drop(&mut self) {
        CURRENT.with(|current| {
            current.loop_id.set(self.outer_id);
            current.queue.replace(self.outer.take());
        });
    }
}

/// Whether a loop is in a turn on this thread.
pub(crate) fn is_running() -> bool {
    CURRENT.with(|current| current.loop_id.get() != 0)
}

/// Whether this very loop is in a turn on this thread, and no other inside of it.
pub(crate) fn is(loop_id: LoopId) -> bool {
    CURRENT.with(|current| current.loop_id.get() == loop_id)
}

/// Wakes a task, of this loop or of any other.
pub(crate) fn wake(id: WakerId) {
    CURRENT.with(|current| {
        if current.loop_id.get() != id.in_loop() {
            inbox::wake(id);
        } else if let Some(queue) = &*current.queue.borrow() {
            queue.borrow_mut().push(id);
        }
    });
}
