//! The handle of a loop for other threads.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use futures_task::{FutureObj, LocalFutureObj, LocalSpawn, Spawn, SpawnError};

use crate::context::{self, Context};
use crate::executor::SpawnOptions;
use crate::threads::{Call, Inbox, Pool};

/// A handle of a loop. From any thread it sends functions to call and tasks to spawn.
///
/// It does not keep the loop alive. A loop that has ended drops the functions that are sent to it,
/// and a task that is sent to it returns a cancelled [`JoinError`](crate::task::JoinError). Nothing
/// hangs.
///
/// ```
/// use std::thread;
///
/// evloop::block_on(async {
///     let handle = evloop::Handle::current();
///     let thread = thread::spawn(move || handle.spawn(|| async { 6 * 7 }).join());
///     // The loop runs while the thread waits for it.
///     while !thread.is_finished() {
///         evloop::task::yield_now().await;
///     }
///     assert_eq!(thread.join().unwrap().unwrap(), 42);
/// });
/// ```
#[derive(Clone)]
pub struct Handle {
    inbox: Arc<Inbox>,
    pool: Pool,
}

/// The id of a loop. No other loop of the process has or had it.
///
/// ```
/// let [one, other] = [(); 2].map(|()| evloop::Runtime::new().unwrap().handle());
/// assert_eq!(one.id(), one.clone().id());
/// assert_ne!(one.id(), other.id());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u64);

impl Handle {
    pub(super) fn of(context: &Context) -> Handle {
        Handle { inbox: context.inbox.clone(), pool: context.pool.clone() }
    }

    /// Returns the blocking pool of the loop.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(super) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// Returns a handle of the loop that is running on this thread.
    ///
    /// # Panics
    ///
    /// If no loop is running.
    #[doc(alias = "get_running_loop")]
    #[doc(alias = "current_trio_token")]
    #[doc(alias = "get_hub")]
    #[track_caller]
    pub fn current() -> Handle {
        Handle::of(&context::expect("Handle::current"))
    }

    /// Returns a handle of the loop that is running on this thread, or `None`.
    #[doc(alias = "get_event_loop")]
    #[doc(alias = "in_trio_run")]
    pub fn try_current() -> Option<Handle> {
        context::current().map(|context| Handle::of(&context))
    }

    /// Calls `f` on the loop's thread, in a detached task of its own. Calls keep their order. On
    /// the loop's own thread this is [`call_soon`](super::call_soon), in order with its calls.
    /// After the loop has ended `f` is dropped instead.
    #[doc(alias = "call_soon_threadsafe")]
    #[doc(alias = "run_sync_soon")]
    #[doc(alias = "from_thread")]
    #[track_caller]
    pub fn call_threadsafe(&self, f: impl FnOnce() + Send + 'static) {
        self.call(Call { function: Box::new(f), called_at: Location::caller() });
    }

    fn call(&self, call: Call) {
        if let Some(context) = context::current().filter(|context| self.belongs_to(context)) {
            let options = SpawnOptions::at(call.called_at);
            drop(context.executor.call_soon(call.run(), options));
            return;
        }
        // A closed inbox returns the call; a function that is sent to an ended loop is dropped.
        drop(self.inbox.call(call));
    }

    /// Makes [`Runtime::run`](crate::Runtime::run) return after the current turn; if it is not
    /// running, after its first turn.
    pub fn stop(&self) {
        self.inbox.stop();
    }

    /// Returns whether the loop has ended. Then it runs nothing any more.
    pub fn is_closed(&self) -> bool {
        self.inbox.is_closed()
    }

    /// Returns whether a thread is inside of [`block_on`](super::block_on),
    /// [`run`](crate::Runtime::run) or [`turn`](crate::Runtime::turn) of the loop.
    pub fn is_running(&self) -> bool {
        self.inbox.info.is_running()
    }

    /// Returns the id of the loop.
    pub fn id(&self) -> Id {
        Id(self.inbox.info.number)
    }

    /// Returns the name that [`Builder::name`](super::Builder::name) set.
    pub fn name(&self) -> &str {
        &self.inbox.info.name
    }

    /// Returns whether the loop is in [debug mode](super::Builder::debug).
    #[doc(alias = "get_debug")]
    pub fn is_debug(&self) -> bool {
        self.inbox.info.is_debug
    }

    /// Returns whether this loop is running on this thread.
    pub(super) fn is_current(&self) -> bool {
        context::current().is_some_and(|context| self.belongs_to(&context))
    }

    pub(super) fn belongs_to(&self, context: &Context) -> bool {
        Arc::ptr_eq(&context.inbox, &self.inbox)
    }

    fn status(&self) -> Result<(), SpawnError> {
        if self.inbox.is_closed() { Err(SpawnError::shutdown()) } else { Ok(()) }
    }
}

impl Spawn for Handle {
    /// Spawns a detached task, from any thread.
    fn spawn_obj(&self, future: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.status()?;
        let spawned_at = Location::caller();
        self.call_threadsafe(move || {
            let options = SpawnOptions::at(spawned_at);
            drop(
                context::expect("Spawn::spawn_obj")
                    .executor
                    .spawn(LocalFutureObj::from(future), options),
            );
        });
        Ok(())
    }

    fn status(&self) -> Result<(), SpawnError> {
        Handle::status(self)
    }
}

impl LocalSpawn for Handle {
    /// Spawns a detached task. On a thread on which the loop is not running this returns an error,
    /// because the task must not leave its thread.
    fn spawn_local_obj(&self, future: LocalFutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.status_local()?;
        let context = context::expect("LocalSpawn::spawn_local_obj");
        drop(context.executor.spawn(future, SpawnOptions::here()));
        Ok(())
    }

    fn status_local(&self) -> Result<(), SpawnError> {
        if self.is_current() { self.status() } else { Err(SpawnError::shutdown()) }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Handle");
        debug.field("id", &self.inbox.info.number).field("name", &self.name());
        debug.field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
