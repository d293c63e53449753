//! L3: "the loop running on this thread": its executor, its reactor, its way in from outside.
//!
//! The thread-local has no destructor, so a drop while the thread ends finds no loop instead of a
//! panic. Invariant: what `current` holds for wakers and what `CONTEXT` holds for everybody else
//! change together, by [`Entered`] alone.

use std::cell::{Cell, RefCell};
use std::io;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use crate::current::{self, Outer, Queue};
use crate::executor::{Executor, PanicHandler};
use crate::inbox::{self, Inbox};
use crate::pool::Pool;
use crate::reactor::Reactor;
use crate::waker_id::LoopId;

/// All parts of one loop.
pub(crate) struct Context {
    id: LoopId,
    pub(crate) executor: Executor,
    pub(crate) reactor: Rc<Reactor>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) pool: Pool,
    /// `Handle::stop` was called.
    pub(crate) is_stopping: Cell<bool>,
    queue: Queue,
}

/// What a loop is made of.
pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) events_capacity: usize,
    pub(crate) blocking_threads_max: usize,
    pub(crate) on_panic: Option<PanicHandler>,
}

/// The loop is the running one until this is dropped; then the one before is again.
pub(crate) struct Entered {
    context: Rc<Context>,
    outer: Option<(Option<Rc<Context>>, Outer)>,
}

thread_local! {
    static CONTEXT: ManuallyDrop<RefCell<Option<Rc<Context>>>> =
        const { ManuallyDrop::new(RefCell::new(None)) };
}

impl Context {
    pub(crate) fn new(parts: Parts) -> io::Result<Rc<Context>> {
        let reactor = Rc::new(Reactor::new(parts.events_capacity)?);
        let inbox = Arc::new(Inbox::new(reactor.unpark()?));
        let id = inbox::register(inbox.clone())?;
        let queue = Queue::default();
        Ok(Rc::new(Context {
            id,
            executor: Executor::new(id, queue.clone(), parts.on_panic),
            reactor,
            inbox,
            pool: Pool::new(format!("{}-blocking", parts.name), parts.blocking_threads_max),
            is_stopping: Cell::new(false),
            queue,
        }))
    }

    pub(crate) fn enter(self: &Rc<Self>) -> Entered {
        let outer = CONTEXT.with(|context| context.replace(Some(self.clone())));
        let outer = Some((outer, current::enter(self.id, self.queue.clone())));
        Entered { context: self.clone(), outer }
    }

    /// Whether this loop is the running one.
    pub(crate) fn is_current(self: &Rc<Self>) -> bool {
        current().is_some_and(|current| Rc::ptr_eq(&current, self))
    }

    /// Ends the loop: its tasks, its calls, its sources. Destructors may spawn and wake; nothing
    /// comes of it.
    pub(crate) fn shutdown(self: &Rc<Self>) {
        let entered = self.enter();
        self.executor.shutdown();
        for call in self.inbox.close() {
            // One destructor that panics does not keep the others from running.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(call)));
        }
        self.reactor.close();
        self.pool.close();
        drop(entered);
        inbox::deregister(self.id);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if !self.context.is_current() {
            // Unwinding has its own message, and leaves the thread without a loop that is right.
            assert!(
                std::thread::panicking(),
                "the guards of Runtime::enter were dropped out of order: drop the latest first"
            );
            return;
        }
        if let Some((context, outer)) = self.outer.take() {
            current::leave(outer);
            CONTEXT.with(|slot| slot.replace(context));
        }
    }
}

/// The loop running on this thread.
pub(crate) fn current() -> Option<Rc<Context>> {
    CONTEXT.with(|context| context.borrow().clone())
}

/// Its reactor.
pub(crate) fn reactor() -> Option<Rc<Reactor>> {
    CONTEXT.with(|context| context.borrow().as_ref().map(|context| context.reactor.clone()))
}

/// The loop running on this thread.
///
/// # Panics
///
/// If none is; `what` was called.
#[track_caller]
pub(crate) fn expect(what: &str) -> Rc<Context> {
    current().unwrap_or_else(|| {
        panic!("{what} was called outside of a running loop: call it inside evloop::block_on")
    })
}
