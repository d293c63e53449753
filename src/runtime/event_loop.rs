//! The loop: creating it, `block_on`, and one turn.
//!
//! Invariant: all ways of running a loop go through `iterate`, which is one turn.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use super::builder::Builder;
use super::handle::Handle;
#[cfg(feature = "inspect")]
use super::inspected;
use super::wait::{has_work, wait};
use crate::caught::catch;
use crate::context::{Context, Entered};
use crate::current;
use crate::executor::{Batch, JoinHandle, Root, SpawnOptions};
use crate::poll_with::store_output;
use crate::threads::Drained;
use crate::world;

/// An event loop on this thread.
///
/// Most programs need only [`block_on`], which creates a loop and ends it. A `Runtime` keeps its
/// loop: its tasks survive from one [`block_on`](Runtime::block_on) to the next, and
/// [`turn`](Runtime::turn) lets another event loop, a GUI's or a game's, drive it.
///
/// Dropping it drops the remaining tasks in the order in which they were spawned, while the loop is
/// still entered. Their destructors may close, wake and even spawn; a task that they spawn is
/// dropped at once. A destructor runs as its task, inside the running loop, so `block_on` panics
/// there. The drop does not wait for the threads of the blocking pool; see
/// [`shutdown_timeout`](Runtime::shutdown_timeout).
///
/// After fork(2) without exec(2) the child must not use or drop a loop of the parent: both share
/// its selector. The child can create a loop of its own. If another thread of the parent was
/// creating, ending or waking a loop at that moment, the child may deadlock on a lock.
///
/// ```
/// use std::time::Duration;
///
/// let mut runtime = evloop::Runtime::new()?;
/// let task = runtime.spawn(async {
///     evloop::time::sleep(Duration::from_millis(5)).await;
///     "woken"
/// });
/// assert_eq!(runtime.block_on(task).unwrap(), "woken");
/// # std::io::Result::Ok(())
/// ```
pub struct Runtime {
    pub(crate) context: Rc<Context>,
    pub(super) batch_max: usize,
    /// How long to poll for events before sleeping.
    pub(super) spin: Duration,
    /// The buffers into which the inbox is drained; they are reused.
    pub(super) drained: Drained,
    pub(super) driver: Cell<Driver>,
}

/// The caller of the loop's turns. It decides what the loop does between two turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Driver {
    /// The program. A wake writes to the selector, so that the next wait returns.
    Program,
    /// Another loop, which watches the selector: this must report deadlines and work that is left.
    Watcher,
    /// Another loop, which has passed its waker: hosted turns.
    Host,
}

/// A guard that keeps the loop entered as the running loop of this thread; returned by
/// [`Runtime::enter`].
#[must_use = "dropping the guard leaves the loop"]
pub struct EnterGuard<'a> {
    _entered: Entered,
    _runtime: &'a Runtime,
}

/// Runs a future to completion on a new event loop, as asyncio's `run`.
///
/// The future need be neither `Send` nor `'static`. It is a task like any other, but lives on the
/// caller's stack. When it completes, the loop ends: tasks that it spawned and did not await are
/// dropped in the order in which they were spawned.
///
/// # Panics
///
/// If a loop is already running on this thread, or if the operating system has no selector for it.
/// A panic of the future propagates after the tasks were dropped.
///
/// ```
/// let sum = evloop::block_on(async {
///     let two = evloop::spawn(async { 2 });
///     two.await.unwrap() + 3
/// });
/// assert_eq!(sum, 5);
/// ```
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    assert_not_running("block_on");
    let mut runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => panic!("block_on could not make an event loop: {error}"),
    };
    let caller = Location::caller();
    let result = catch(|| runtime.block_on_from(caller, future));
    drop(runtime);
    result.unwrap_or_else(|panic| panic.resume())
}

impl Builder {
    /// Creates the loop.
    ///
    /// # Errors
    ///
    /// If the operating system has no selector for it (EMFILE, ENFILE, ENOMEM), or if the process
    /// has as many loops as a waker can distinguish: 65,535, or 255 on 32-bit systems. Kind
    /// `Unsupported` in a simulated world, whose hosts have one loop each.
    #[doc(alias = "build_local")]
    pub fn build(self) -> io::Result<Runtime> {
        if world::driven().is_some() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a host of a simulated world has one loop, which is running: spawn a task instead",
            ));
        }
        self.build_unchecked()
    }

    /// Like [`build`](Builder::build), also for a host of a simulated world.
    pub(super) fn build_unchecked(self) -> io::Result<Runtime> {
        let (batch_max, spin) = (self.batch_max, self.spin);
        let runtime = Runtime {
            context: Context::new(self.into_settings())?,
            batch_max,
            spin,
            drained: Drained::default(),
            driver: Cell::new(Driver::Program),
        };
        runtime.update_watcher();
        #[cfg(feature = "inspect")]
        inspected::start(&runtime.context);
        Ok(runtime)
    }
}

impl Runtime {
    /// Creates a loop with the default configuration.
    ///
    /// # Errors
    ///
    /// If the operating system has no selector for it (EMFILE, ENFILE, ENOMEM), or if the process
    /// has 65,535 loops.
    pub fn new() -> io::Result<Runtime> {
        Runtime::builder().build()
    }

    /// Returns a builder, for a loop with another configuration.
    #[doc(alias = "new_current_thread")]
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Runs `future` to completion. The remaining tasks stay, and continue when the loop runs
    /// again.
    ///
    /// # Panics
    ///
    /// If a loop is already running on this thread, or if the selector fails. A panic of the future
    /// propagates; the loop can still be used.
    #[doc(alias = "run_until_complete")]
    #[track_caller]
    #[doc(alias = "run_until")]
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        assert_not_running("block_on");
        self.block_on_from(Location::caller(), future)
    }

    /// Spawns a task, which runs when the loop runs.
    #[doc(alias = "create_task")]
    #[doc(alias = "spawn_local")]
    #[track_caller]
    pub fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        let options = SpawnOptions::here();
        self.context.executor.spawn(future, options)
    }

    /// Returns a handle of the loop, for this thread and others.
    #[doc(alias = "get_loop")]
    pub fn handle(&self) -> Handle {
        Handle::of(&self.context)
    }

    /// Enters the loop without running it. While the guard lives it is the running loop of this
    /// thread: sockets and timers can be created and tasks spawned.
    ///
    /// # Panics
    ///
    /// The guards must be dropped in reverse order of their creation; another order panics.
    #[doc(alias = "set_event_loop")]
    pub fn enter(&self) -> EnterGuard<'_> {
        EnterGuard { _entered: self.context.enter(), _runtime: self }
    }

    fn block_on_from<F: Future>(
        &mut self,
        caller: &'static Location<'static>,
        future: F,
    ) -> F::Output {
        self.with_entered(|runtime| {
            let executor = &runtime.context.clone().executor;
            let output = Cell::new(None);
            let mut root = pin!(store_output(future, &output));
            let record = executor.begin_root(caller);
            loop {
                let turn = runtime.iterate(Some(root.as_mut()), None);
                let batch =
                    turn.unwrap_or_else(|error| panic!("the event loop cannot wait: {error}"));
                if batch.root_done {
                    break;
                }
            }
            record.complete();
            output.take().expect("the root is done when its output is there")
        })
    }

    /// Runs one turn:
    ///
    /// 1. wait for events, until the next deadline at the latest; do not wait if a task is ready;
    /// 2. drain the inbox: wakes and calls from other threads;
    /// 3. fire the timers that are due, up to a limit;
    /// 4. run the ready tasks, first in first out, up to a limit.
    ///
    /// This is asyncio's order. The wait comes first so that the tasks that it makes ready run in
    /// the same turn: otherwise a timer would cost a second call of the selector.
    pub(super) fn iterate(
        &mut self,
        root: Option<Root<'_>>,
        limit: Option<Duration>,
    ) -> io::Result<Batch> {
        wait(&self.context, self.spin, limit)?;
        Ok(self.run_ready(root))
    }

    /// Runs steps 2 to 4 of a turn.
    pub(super) fn run_ready(&mut self, root: Option<Root<'_>>) -> Batch {
        self.make_ready();
        self.context.executor.run_batch(root, self.batch_max)
    }

    /// Runs steps 2 and 3 of a turn, which make tasks ready.
    pub(super) fn make_ready(&mut self) {
        let turns = &self.context.turns;
        turns.set(turns.get() + 1);
        self.drain_inbox();
        self.context.reactor.fire_timers();
    }

    /// Handles the wakes, the calls and a request that other threads have left in the inbox.
    fn drain_inbox(&mut self) {
        if !self.context.inbox.is_pending() {
            return;
        }
        self.context.inbox.drain(&mut self.drained);
        for id in self.drained.wakes.drain(..) {
            self.context.executor.wake(id);
        }
        for call in self.drained.calls.drain(..) {
            let options = SpawnOptions::at(call.called_at);
            drop(self.context.executor.spawn_call(call.run(), options));
        }
        self.drained.shrink();
        if let Some(mut request) = self.drained.request.take() {
            if request().is_continue() {
                // Behind the other requests. The inbox is open while the loop runs turns.
                let _ = self.context.inbox.request(request);
            }
        }
        if self.context.idle.has_waiting() {
            self.context.inbox.notify();
        }
    }

    /// Runs `f`, which runs turns that no host has asked for.
    pub(super) fn with_entered<T>(&mut self, f: impl FnOnce(&mut Runtime) -> T) -> T {
        if self.driver.get() == Driver::Host {
            // The host may go on to watch the descriptor.
            self.driver.set(Driver::Watcher);
            self.context.inbox.set_host(None);
        }
        self.in_turns(f)
    }

    /// Runs `f` with the loop entered and not parked.
    pub(super) fn in_turns<T>(&mut self, f: impl FnOnce(&mut Runtime) -> T) -> T {
        let context = self.context.clone();
        let guard = TurnGuard(self);
        let _in_turns = begin_turns(&context);
        f(guard.0)
    }

    /// Called between two turns. If another loop watches the selector, makes its descriptor report
    /// work that is left, the next deadline and later wakes.
    pub(super) fn update_watcher(&self) {
        let Context { inbox, reactor, .. } = &*self.context;
        match self.driver.get() {
            Driver::Program => {
                inbox.park_outside(false);
                reactor.set_watched(false);
            }
            // A hosted turn returns whether work is left, and when the next timer is due.
            Driver::Host if !thread::panicking() => {
                inbox.park();
                reactor.set_hosted();
            }
            Driver::Watcher | Driver::Host => {
                inbox.park_outside(has_work(&self.context));
                reactor.set_watched(true);
            }
        }
    }
}

/// Enters the loop, which runs turns until the returned value is dropped.
fn begin_turns(context: &Rc<Context>) -> impl Sized + use<> {
    context.inbox.unpark();
    context.inbox.info.set_running(true);
    context.reactor.set_watched(false);
    let entered = context.enter();
    let in_turn = context.executor.begin_turn();
    if let Some(beacon) = context.executor.beacon() {
        beacon.begin_turn();
    }
    // The fields of a tuple are dropped in their order: the turn ends first.
    (in_turn, entered)
}

/// Exists while the loop runs turns. Its drop marks that the loop is between two turns.
struct TurnGuard<'a>(&'a mut Runtime);

impl Drop for TurnGuard<'_> {
    fn drop(&mut self) {
        self.0.context.inbox.info.set_running(false);
        if let Some(beacon) = self.0.context.executor.beacon() {
            beacon.leave();
        }
        self.0.update_watcher();
    }
}

#[track_caller]
pub(super) fn assert_not_running(what: &str) {
    assert!(
        !current::is_running(),
        "{what} was called inside of a running event loop: await the future instead, or spawn it"
    );
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("batch_max", &self.batch_max).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for EnterGuard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnterGuard").finish_non_exhaustive()
    }
}
