//! L0: the loop that runs on this thread, as far as a waker must know it.
//!
//! A wake on the loop's own thread pushes to the loop's queue: a few instructions, no atomic. The
//! thread-local has no destructor: a waker may be used while the thread ends. Invariant: `loop_id`
//! and `queue` belong to the same loop, the innermost entered.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::rc::Rc;

use crate::inbox;
use crate::run_queue::RunQueue;
use crate::waker_id::{LoopId, WakerId};

/// The queue of a loop, as its executor and the wakers on its thread share it.
pub(crate) type Queue = Rc<RefCell<RunQueue>>;

/// Which loop runs: what `enter` gives back, for the time after.
pub(crate) struct Outer {
    loop_id: LoopId,
    queue: Option<Queue>,
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

/// Makes a loop the running one. Returns which one was.
pub(crate) fn enter(loop_id: LoopId, queue: Queue) -> Outer {
    CURRENT.with(|current| Outer {
        loop_id: current.loop_id.replace(loop_id),
        queue: current.queue.replace(Some(queue)),
    })
}

/// Makes the outer loop the running one again.
pub(crate) fn leave(outer: Outer) {
    CURRENT.with(|current| {
        current.loop_id.set(outer.loop_id);
        current.queue.replace(outer.queue);
    });
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
