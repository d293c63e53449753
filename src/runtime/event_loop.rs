//! The loop: `block_on`, `run`, `turn`.
//!
//! Invariant: all ways of running a loop go through `iterate`, the loop's one screen.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::ops::ControlFlow;
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::builder::Builder;
use super::busy_poll::busy_poll;
use super::handle::Handle;
use crate::caught::catch;
use crate::context::{Context, Entered};
use crate::current;
use crate::executor::{Batch, JoinHandle, Root, SpawnOptions};
use crate::threads::{Call, Drained};

/// An event loop on this thread.
///
/// Most programs need only [`block_on`], which makes a fresh loop and ends it. A `Runtime` is for
/// who keeps a loop: its tasks survive from one [`block_on`](Runtime::block_on) to the next, and
/// [`turn`](Runtime::turn) lets another loop, a GUI's or a game's, drive it.
///
/// Dropping it drops the tasks that are left in the order in which they were spawned, with the loop
/// still entered: a destructor may close, wake and even spawn; what it spawns is dropped at once.
/// It runs as its task, inside of the running loop: so `block_on` panics there.
/// Helper threads are not waited for; see [`shutdown_timeout`](Runtime::shutdown_timeout).
///
/// After fork(2) without exec(2) a loop of the parent must not be used in the child, nor dropped
/// there: both share its selector. The child can make a loop of its own. If another thread of the
/// parent was making, ending or waking a loop at that moment, the child may deadlock on a lock.
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
#[doc(alias = "Runner")]
#[doc(alias = "EventLoop")]
pub struct Runtime {
    pub(super) context: Rc<Context>,
    pub(super) batch_max: usize,
    /// How long to look for events before sleeping.
    pub(super) spin: Duration,
    /// What the inbox held, in room that is used again.
    pub(super) drained: Drained,
    /// Somebody watches the selector: it must tell of deadlines and of work left.
    pub(super) is_embedded: Cell<bool>,
}

/// What [`Runtime::turn`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Turn {
    /// Futures polled.
    pub polled: usize,
    /// Tasks that are ready to run in the next turn.
    pub ready_left: usize,
}

/// The loop is the running one on this thread while this lives; see [`Runtime::enter`].
#[must_use = "dropping the guard leaves the loop"]
pub struct EnterGuard<'a> {
    _entered: Entered,
    _runtime: &'a Runtime,
}

/// Runs a future to its end on a fresh event loop, as asyncio's `run`.
///
/// The future need be neither `Send` nor `'static`. It is a task like any other, but lives on the
/// caller's stack. When it completes the loop ends: tasks that it spawned and did not await are
/// dropped in the order in which they were spawned.
///
/// # Panics
///
/// If a loop is running on this thread already; if the operating system grants no selector. A panic
/// of the future goes through, after the tasks were dropped.
///
/// ```
/// let sum = evloop::block_on(async {
///     let two = evloop::spawn(async { 2 });
///     two.await.unwrap() + 3
/// });
/// assert_eq!(sum, 5);
/// ```
#[doc(alias = "run")]
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    assert_not_running("block_on");
    let mut runtime = Runtime::new()
        .unwrap_or_else(|error| panic!("block_on could not make an event loop: {error}"));
    let caller = Location::caller();
    let result = catch(|| runtime.block_on_from(caller, future));
    drop(runtime);
    result.unwrap_or_else(|panic| panic.resume())
}

impl Builder {
    /// Makes the loop.
    ///
    /// # Errors
    ///
    /// If the operating system grants no selector (EMFILE, ENFILE, ENOMEM), or the process has as
    /// many loops as a waker can tell apart: 65,535, or 255 with 32 bits.
    pub fn build(self) -> io::Result<Runtime> {
        let (batch_max, spin) = (self.batch_max, self.spin);
        let runtime = Runtime {
            context: Context::new(self.into_parts())?,
            batch_max,
            spin,
            drained: Drained::default(),
            is_embedded: Cell::new(false),
        };
        runtime.tell();
        Ok(runtime)
    }
}

impl Runtime {
    /// A loop with everything at its default.
    ///
    /// # Errors
    ///
    /// If the operating system grants no selector (EMFILE, ENFILE, ENOMEM), or the process has
    /// 65,535 loops.
    pub fn new() -> io::Result<Runtime> {
        Runtime::builder().build()
    }

    /// To make a loop that is not at its default.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Runs `future` to its end. Tasks that are left stay, and go on when the loop runs again.
    ///
    /// # Panics
    ///
    /// If a loop is running on this thread already, or the selector fails. A panic of the future
    /// goes through; the loop can be used further.
    #[doc(alias = "run_until_complete")]
    #[track_caller]
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        assert_not_running("block_on");
        self.block_on_from(Location::caller(), future)
    }

    /// Runs until [`Handle::stop`] is called; the turn in which that happens is finished.
    ///
    /// # Panics
    ///
    /// If a loop is running on this thread already.
    ///
    /// # Errors
    ///
    /// If the selector fails.
    #[doc(alias = "run_forever")]
    #[track_caller]
    pub fn run(&mut self) -> io::Result<()> {
        assert_not_running("run");
        self.inside(|runtime| {
            let inbox = &runtime.context.inbox.clone();
            loop {
                let limit = inbox.is_stopping().then_some(Duration::ZERO);
                runtime.iterate(None, limit)?;
                if inbox.is_stopping() {
                    inbox.stopped();
                    return Ok(());
                }
            }
        })
    }

    /// One turn of the loop: waits for events for up to `limit` (`None`: for as long as it takes),
    /// but not if tasks are ready; then runs what is ready, at most `batch_max` polls.
    ///
    /// This is how a loop is driven from another one. A turn of this runtime is allowed in a task
    /// of another.
    ///
    /// # Errors
    ///
    /// If the selector fails.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mut runtime = evloop::Runtime::new()?;
    /// let task = runtime.spawn(async { evloop::task::yield_now().await });
    /// let turn = runtime.turn(Some(Duration::ZERO))?;
    /// assert_eq!((turn.polled, turn.ready_left), (2, 0));
    /// assert!(task.is_finished());
    /// # std::io::Result::Ok(())
    /// ```
    pub fn turn(&mut self, limit: Option<Duration>) -> io::Result<Turn> {
        self.inside(|runtime| {
            let batch = runtime.iterate(None, limit)?;
            Ok(Turn { polled: batch.polled(), ready_left: runtime.context.executor.ready() })
        })
    }

    /// Runs turns without waiting until no task is ready. Returns how many futures were polled.
    ///
    /// # Errors
    ///
    /// If the selector fails.
    pub fn run_until_stalled(&mut self) -> io::Result<usize> {
        self.inside(|runtime| {
            let mut polled = 0;
            loop {
                let batch = runtime.iterate(None, Some(Duration::ZERO))?;
                polled += batch.polled();
                if batch.polled() == 0 && !runtime.has_work() {
                    return Ok(polled);
                }
            }
        })
    }

    /// When [`turn`](Runtime::turn) wants to be called next without an event: now if tasks are
    /// ready, else at the next deadline of a timer; `None` if there is none.
    pub fn next_deadline(&self) -> Option<Instant> {
        let reactor = &self.context.reactor;
        if self.has_work() { Some(reactor.clock.now()) } else { reactor.next_deadline() }
    }

    /// Spawns a task, to run when the loop does.
    #[track_caller]
    pub fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        let options = SpawnOptions::here();
        self.context.executor.spawn(future, options)
    }

    /// A handle for other threads, and for this one.
    pub fn handle(&self) -> Handle {
        Handle::new(self.context.inbox.clone())
    }

    /// Makes this the running loop on this thread, without running it: sockets and timers can be
    /// made and tasks spawned.
    ///
    /// # Panics
    ///
    /// Dropping guards in another order than the latest first panics.
    pub fn enter(&self) -> EnterGuard<'_> {
        EnterGuard { _entered: self.context.enter(), _runtime: self }
    }

    fn block_on_from<F: Future>(
        &mut self,
        caller: &'static Location<'static>,
        future: F,
    ) -> F::Output {
        self.inside(|runtime| {
            let executor = &runtime.context.clone().executor;
            let output = Cell::new(None);
            let mut root = pin!(async { output.set(Some(future.await)) });
            let _record = executor.begin_root(caller);
            loop {
                let turn = runtime.iterate(Some(root.as_mut()), None);
                let batch =
                    turn.unwrap_or_else(|error| panic!("the event loop cannot wait: {error}"));
                if batch.root_done {
                    break;
                }
            }
            output.take().expect("the root is done when its output is there")
        })
    }

    /// One turn:
    ///
    /// 1. wait for events, unless something is ready, and until the next deadline at the latest;
    /// 2. take in what other threads left;
    /// 3. fire the timers that are due, up to a limit;
    /// 4. run the tasks that are ready, first in first out, up to a limit.
    ///
    /// As asyncio has it. The wait comes first so that what ends it runs in the same turn: a timer
    /// would otherwise cost a second look at the selector.
    fn iterate(&mut self, root: Option<Root<'_>>, limit: Option<Duration>) -> io::Result<Batch> {
        self.wait(limit)?;
        self.take_in();
        self.context.reactor.fire_timers();
        Ok(self.context.executor.run_batch(root, self.batch_max))
    }

    fn wait(&self, limit: Option<Duration>) -> io::Result<()> {
        let Context { executor, inbox, reactor, .. } = &*self.context;
        if executor.ready() > 0 {
            return reactor.wait(Some(Duration::ZERO));
        }
        executor.give_back();
        let ControlFlow::Continue(limit) = busy_poll(&self.context, self.spin, limit)? else {
            return Ok(());
        };
        if !inbox.park() {
            return reactor.wait(Some(Duration::ZERO));
        }
        let waited = reactor.wait(limit);
        inbox.unpark();
        waited
    }

    fn take_in(&mut self) {
        if !self.context.inbox.is_pending() {
            return;
        }
        self.context.inbox.drain(&mut self.drained);
        for id in self.drained.wakes.drain(..) {
            self.context.executor.wake(id);
        }
        for Call { function, called_at } in self.drained.calls.drain(..) {
            let options = SpawnOptions::at(called_at);
            drop(self.context.executor.spawn(async { function() }, options));
        }
        self.drained.give_back();
    }

    /// Runs `f` with the loop entered and awake.
    fn inside<T>(&mut self, f: impl FnOnce(&mut Runtime) -> T) -> T {
        let context = self.context.clone();
        context.inbox.unpark();
        context.reactor.set_watched(false);
        let awake = Awake(self);
        let _entered = context.enter();
        let _in_turn = context.executor.begin_turn();
        f(awake.0)
    }

    /// Whether there is something to do without an event.
    fn has_work(&self) -> bool {
        let Context { executor, inbox, reactor, .. } = &*self.context;
        executor.ready() > 0 || inbox.is_pending() || reactor.owes_wakes()
    }

    /// The loop is between two turns: sees to it that who watches the selector learns of work that
    /// is left, of the next deadline, and of whatever comes.
    pub(super) fn tell(&self) {
        let is_embedded = self.is_embedded.get();
        self.context.inbox.park_outside(is_embedded && self.has_work());
        self.context.reactor.set_watched(is_embedded);
    }
}

/// The loop runs. Dropped, it is between two turns.
struct Awake<'a>(&'a mut Runtime);

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        self.0.tell();
    }
}

#[track_caller]
fn assert_not_running(what: &str) {
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
