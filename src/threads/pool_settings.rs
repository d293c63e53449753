//! The settings of a blocking pool.

use std::sync::Arc;
use std::time::Duration;

use crate::caught::catch;

/// The time for which a thread without work waits for the next job.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Called on a thread of the pool.
type Hook = Arc<dyn Fn() + Send + Sync>;

/// The settings of a pool.
#[derive(Clone)]
pub(crate) struct PoolSettings {
    /// The name of its threads.
    pub(crate) name: String,
    /// The owner of the pool, in errors.
    pub(crate) owner: &'static str,
    /// The maximum number of running jobs of one kind, at least one.
    pub(crate) kind_max: usize,
    pub(crate) keep_alive: Duration,
    /// In bytes. `None`: the default of the standard library.
    pub(crate) stack_size: Option<usize>,
    /// Called first on each thread.
    pub(crate) on_start: Option<Hook>,
    /// Called last on each thread.
    pub(crate) on_stop: Option<Hook>,
}

impl PoolSettings {
    pub(crate) fn new(name: String, owner: &'static str, kind_max: usize) -> PoolSettings {
        PoolSettings {
            name,
            owner,
            kind_max: kind_max.max(1),
            keep_alive: KEEP_ALIVE,
            stack_size: None,
            on_start: None,
            on_stop: None,
        }
    }

    /// Sets the name of the threads.
    ///
    /// # Panics
    ///
    /// If it contains a NUL byte.
    #[track_caller]
    pub(crate) fn set_name(&mut self, name: String) {
        assert!(
            !name.as_bytes().contains(&0),
            "the thread name {name:?} must not contain a NUL byte"
        );
        self.name = name;
    }

    pub(super) fn call_on_start(&self) {
        call(&self.on_start);
    }

    pub(super) fn call_on_stop(&self) {
        call(&self.on_stop);
    }
}

/// Calls a hook of user code. Its panic is reported by the panic hook only.
fn call(hook: &Option<Hook>) {
    if let Some(hook) = hook {
        let _ = catch(|| hook());
    }
}

impl std::fmt::Debug for PoolSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("PoolSettings");
        debug.field("name", &self.name).field("kind_max", &self.kind_max).finish_non_exhaustive()
    }
}
