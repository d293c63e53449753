//! L3: the loop of this thread: its executor, its reactor, its inbox, its blocking pool.
//!
//! The thread-local has no destructor: a destructor that looks for the loop while the thread ends
//! finds none, and does not panic. Invariant: a turn begins with its loop entered last.

mod edges;
mod locals;
mod snapshot;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::Arc;

pub(crate) use self::edges::Edges;
pub use self::edges::WaitsOn;
pub(crate) use self::locals::LocalId;
use self::locals::Locals;
#[cfg(test)]
pub(crate) use self::snapshot::{PIECE, Part};
pub(crate) use self::snapshot::{Scan, Snapshot, SourceRecord, TaskRecord, TimerRecord};
use crate::caught::{Caught, catch};
use crate::executor::{Executor, Hooks, wake_task};
use crate::reactor::Reactor;
use crate::threads::{Inbox, LoopInfo, LoopName, Pool, PoolSettings, registry};
use crate::wait::WaitQueue;
use crate::world::{OnHost, OwnHost};

/// All parts of one loop.
pub(crate) struct Context {
    pub(crate) name: LoopName,
    pub(crate) executor: Executor,
    pub(crate) reactor: Rc<Reactor>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) pool: Pool,
    /// The futures that wait until no task is ready and no event is due. The inbox stays notified
    /// while there are any.
    pub(crate) idle: WaitQueue<()>,
    /// The values that `task::Local` names.
    pub(crate) locals: Locals,
    /// The number of turns that have begun.
    pub(crate) turns: Cell<u64>,
    host: OwnHost,
}

/// The settings of a loop.
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) events_capacity: usize,
    /// Of the blocking pool. Its threads are named after the loop.
    pub(crate) pool: PoolSettings,
    pub(crate) hooks: Hooks,
}

/// Keeps a loop entered. Its drop makes the previous loop the current one.
pub(crate) struct Entered {
    context: Rc<Context>,
    _on_host: Option<OnHost>,
}

/// The entered loops of a thread. Without one, it owns no memory, since it is never dropped; with
/// one, it allocates nothing, since each turn of an embedded loop enters it.
struct Loops {
    current: Option<Rc<Context>>,
    /// The innermost last.
    outer: Vec<Rc<Context>>,
}

thread_local! {
    static ENTERED: ManuallyDrop<RefCell<Loops>> =
        const { ManuallyDrop::new(RefCell::new(Loops { current: None, outer: Vec::new() })) };
}

impl Context {
    pub(crate) fn new(parts: Settings) -> io::Result<Rc<Context>> {
        let host = OwnHost::of_new_loop();
        let _on_host = host.enter();
        let reactor = Rc::new(Reactor::new(parts.events_capacity, wake_task)?);
        let info = LoopInfo::new(parts.name, parts.hooks.is_debug(), parts.hooks.watched());
        let inbox = Arc::new(Inbox::new(reactor.unpark()?, info));
        let id = registry::register(inbox.clone())?;
        let name = LoopName { id, number: inbox.info.number };
        Ok(Rc::new(Context {
            name,
            executor: Executor::new(id, inbox.clone(), parts.hooks),
            reactor,
            inbox,
            pool: Pool::new(parts.pool),
            idle: WaitQueue::new(),
            locals: Locals::default(),
            turns: Cell::new(0),
            host,
        }))
    }

    /// Makes this the current loop of the thread, in which sockets and tasks are made.
    pub(crate) fn enter(self: &Rc<Self>) -> Entered {
        ENTERED.with(|entered| entered.borrow_mut().enter(self.clone()));
        Entered { context: self.clone(), _on_host: self.host.enter() }
    }

    /// Copies the tables of the loop at once.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.executor, &self.reactor)
    }

    /// Copies the next piece of the tables. Returns whether more pieces are left.
    pub(crate) fn copy_piece(&self, scan: &mut Scan, into: &mut Snapshot) -> bool {
        scan.copy_piece(&self.executor, &self.reactor, into)
    }

    /// Ends the loop: its tasks, its calls, its sources. Destructors may spawn and wake, without
    /// effect. Returns the first panic that no task raised: of the panic handler, of a waker of
    /// another runtime, of a call's destructor.
    pub(crate) fn shutdown(self: &Rc<Self>) -> Option<Caught> {
        let _entered = self.enter();
        let in_turn = self.executor.begin_turn();
        if let Some(beacon) = self.executor.beacon() {
            beacon.begin_turn();
        }
        // The loop needs no further turn, and a handle that outlives it keeps no host alive.
        let mut panic = catch(|| self.inbox.set_host(None)).err();
        panic = panic.or(self.executor.shutdown());
        for call in self.inbox.close() {
            panic = panic.or(catch(|| drop(call)).err());
        }
        panic = panic.or(self.locals.close());
        // After the tasks, the calls and the values: their destructors deregister sockets.
        panic = panic.or(catch(|| self.reactor.close()).err());
        self.pool.close();
        panic = panic.or(self.executor.report_unhandled());
        // Before the id is freed, since `current` still names it.
        drop(in_turn);
        registry::deregister(self.name.id);
        panic
    }
}

impl Loops {
    fn enter(&mut self, context: Rc<Context>) {
        self.outer.extend(self.current.replace(context));
    }

    /// Removes a loop. Returns whether it was the one that was entered last.
    fn leave(&mut self, context: &Rc<Context>) -> bool {
        let is_left = |entered: &Rc<Context>| Rc::ptr_eq(entered, context);
        let is_latest = self.current.as_ref().is_some_and(is_left);
        if is_latest {
            self.current = self.outer.pop();
        } else if let Some(place) = self.outer.iter().rposition(is_left) {
            self.outer.remove(place);
        }
        if self.outer.is_empty() {
            self.outer = Vec::new();
        }
        is_latest
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let is_latest = ENTERED.with(|entered| entered.borrow_mut().leave(&self.context));
        assert!(
            is_latest || std::thread::panicking(),
            "the guards of Runtime::enter were dropped out of order: drop the latest first"
        );
    }
}

/// Returns the current loop of this thread.
pub(crate) fn current() -> Option<Rc<Context>> {
    with_current(Rc::clone)
}

/// Calls `f` with the current loop of this thread, if there is one. The list of loops is borrowed:
/// `f` must not run user code.
pub(crate) fn with_current<T>(f: impl FnOnce(&Rc<Context>) -> T) -> Option<T> {
    ENTERED.with(|entered| entered.borrow().current.as_ref().map(f))
}

/// Returns the loop `name`, if it is the current loop of this thread.
#[inline]
pub(crate) fn named(name: LoopName) -> Option<Rc<Context>> {
    with_current(|context| (context.name == name).then(|| context.clone())).flatten()
}

/// Returns the loops that are entered on this thread, the innermost last.
pub(crate) fn entered() -> Vec<Rc<Context>> {
    ENTERED.with(|entered| {
        let Loops { current, outer } = &*entered.borrow();
        let mut loops = outer.clone();
        loops.extend(current.clone());
        loops
    })
}

/// Returns the reactor of the current loop.
pub(crate) fn reactor() -> Option<Rc<Reactor>> {
    with_current(|context| context.reactor.clone())
}

/// Returns the current loop of this thread.
///
/// # Panics
///
/// If there is none. `what` names the called function in the message.
#[inline]
#[track_caller]
pub(crate) fn expect(what: impl fmt::Display) -> Rc<Context> {
    // A closure in `unwrap_or_else` would not point at the caller.
    match current() {
        Some(context) => context,
        None => called_outside(what),
    }
}

/// Returns the reactor of the current loop.
///
/// # Panics
///
/// As [`expect`].
#[inline]
#[track_caller]
pub(crate) fn expect_reactor(what: impl fmt::Display) -> Rc<Reactor> {
    match reactor() {
        Some(reactor) => reactor,
        None => called_outside(what),
    }
}

#[cold]
#[track_caller]
fn called_outside(what: impl fmt::Display) -> ! {
    panic!("{what} was called outside of a running loop: call it inside evloop::block_on")
}
