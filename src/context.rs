//! L3: the loop of this thread: its executor, its reactor, its inbox, its blocking pool.
//!
//! The thread-local has no destructor: a destructor that looks for the loop while the thread ends
//! finds none, and does not panic. Invariant: a turn begins with its loop entered last.

mod locals;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::Arc;

pub(crate) use self::locals::LocalId;
use self::locals::Locals;
use crate::caught::{Caught, catch};
use crate::executor::{Executor, Hooks};
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

thread_local! {
    /// The entered loops, the innermost last. Owns no memory while it is empty, since it is never
    /// dropped.
    static ENTERED: ManuallyDrop<RefCell<Vec<Rc<Context>>>> =
        const { ManuallyDrop::new(RefCell::new(Vec::new())) };
}

impl Context {
    pub(crate) fn new(parts: Settings) -> io::Result<Rc<Context>> {
        let host = OwnHost::of_new_loop();
        let _on_host = host.enter();
        let reactor = Rc::new(Reactor::new(parts.events_capacity)?);
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
        ENTERED.with(|entered| entered.borrow_mut().push(self.clone()));
        Entered { context: self.clone(), _on_host: self.host.enter() }
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

impl Drop for Entered {
    fn drop(&mut self) {
        let is_latest = ENTERED.with(|entered| {
            let mut entered = entered.borrow_mut();
            let place = entered.iter().rposition(|context| Rc::ptr_eq(context, &self.context));
            let latest = entered.len().checked_sub(1);
            if let Some(place) = place {
                entered.remove(place);
            }
            if entered.is_empty() {
                *entered = Vec::new();
            }
            place == latest
        });
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
    ENTERED.with(|entered| entered.borrow().last().map(f))
}

/// Returns the loop `name`, if it is the current loop of this thread.
#[inline]
pub(crate) fn named(name: LoopName) -> Option<Rc<Context>> {
    with_current(|context| (context.name == name).then(|| context.clone())).flatten()
}

/// Returns the loops that are entered on this thread, the innermost last.
pub(crate) fn entered() -> Vec<Rc<Context>> {
    ENTERED.with(|entered| entered.borrow().clone())
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

#[cold]
#[track_caller]
fn called_outside(what: impl fmt::Display) -> ! {
    panic!("{what} was called outside of a running loop: call it inside evloop::block_on")
}
