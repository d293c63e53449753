//! A snapshot of a loop: how many tasks, timers, sources and threads it has.

use std::time::Instant;

use super::event_loop::Runtime;
use super::handle::Handle;
use crate::context::{self, Context};

/// The present numbers of a loop, as [`Runtime::metrics`] and [`Handle::metrics`] return them.
///
/// They are counted when they are read: the loop itself counts its turns only. How long the loop
/// waits and works is not known: that would cost two readings of the clock a turn. An
/// [`Instrument`](super::Instrument) can measure it.
///
/// ```
/// evloop::block_on(async {
///     let _task = evloop::spawn(std::future::pending::<()>());
///     let metrics = evloop::Handle::current().metrics();
///     assert_eq!((metrics.alive_tasks, metrics.ready_tasks), (2, 1));
///     assert_eq!(metrics.blocking_threads, 0);
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// The turns that the loop has begun, as those of [`Runtime::turn`].
    pub turns: u64,
    /// The tasks, with those of scopes and the future of `block_on`.
    pub alive_tasks: usize,
    /// The tasks that wait for their turn. The running task is not among them.
    pub ready_tasks: usize,
    /// The wakes and calls from other threads that the loop has not handled yet.
    pub queued_wakes_and_calls: usize,
    /// The timers that are set.
    pub timers: usize,
    /// When the next timer is due.
    pub next_deadline: Option<Instant>,
    /// The sockets, pipes and descriptors that are registered.
    pub sources: usize,
    /// The threads of the blocking pool.
    pub blocking_threads: usize,
    /// The threads of the blocking pool that are working.
    pub busy_blocking_threads: usize,
    /// The blocking work that has not begun.
    pub queued_blocking_work: usize,
}

impl Metrics {
    fn of(context: &Context) -> Metrics {
        let Context { executor, reactor, inbox, pool, .. } = context;
        let pool = pool.counts();
        Metrics {
            turns: context.turns.get(),
            alive_tasks: executor.count(),
            ready_tasks: executor.ready(),
            queued_wakes_and_calls: inbox.len(),
            timers: reactor.count_timers(),
            next_deadline: reactor.next_deadline(),
            sources: reactor.count_sources(),
            blocking_threads: pool.threads,
            busy_blocking_threads: pool.busy,
            queued_blocking_work: pool.queued,
        }
    }
}

impl Runtime {
    /// Returns the present numbers of the loop. Takes time in proportion to its tasks and timers.
    #[doc(alias = "RuntimeMetrics")]
    pub fn metrics(&self) -> Metrics {
        Metrics::of(&self.context)
    }
}

impl Handle {
    /// Returns the present numbers of the loop. Takes time in proportion to its tasks and timers.
    ///
    /// # Panics
    ///
    /// If the loop is not the current one of this thread. From another thread, call it on the loop:
    /// `handle.spawn(|| async { Handle::current().metrics() })`.
    #[doc(alias = "current_statistics")]
    #[track_caller]
    pub fn metrics(&self) -> Metrics {
        match context::current().filter(|context| self.belongs_to(context)) {
            Some(context) => Metrics::of(&context),
            None => panic!(
                "Handle::metrics was called where its loop is not running: call it on the loop, by \
                 Handle::spawn"
            ),
        }
    }
}
