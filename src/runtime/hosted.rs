//! The hosted turn: for an event loop that drives this one and brings its own waker.
//!
//! Invariant: between two hosted turns the first wake of a task, the first new task and the first
//! call from another thread wake the host's waker; events and new timers make the descriptor
//! readable.

use std::io;
#[cfg(all(feature = "tokio", unix, not(mio_unsupported_force_poll_poll)))]
use std::panic::Location;
use std::task::Waker;
use std::time::Instant;

use super::event_loop::{Driver, Runtime};
use super::wait::{has_work, look};
#[cfg(all(feature = "tokio", unix, not(mio_unsupported_force_poll_poll)))]
use crate::current;
use crate::executor::{Batch, Root};

/// The result of [`Runtime::turn_hosted`]: when the host calls it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostedTurn {
    /// The number of futures that were polled.
    pub polled: usize,
    /// Tasks are ready, or the selector may have more events than the turn has received. The host
    /// calls `turn_hosted` again without waiting. It may run its own work first.
    pub is_work_left: bool,
    /// When the next timer is due. The host calls `turn_hosted` at this instant at the latest.
    pub next_deadline: Option<Instant>,
}

impl Runtime {
    /// Runs one turn for a host: another event loop that drives this one and has a waker of its
    /// own. Never waits.
    ///
    /// The host watches the [descriptor](#impl-AsFd-for-Runtime) of this loop for reading,
    /// level-triggered or edge-triggered. It calls `turn_hosted`
    ///
    /// - when the descriptor is readable, with `is_readable`: only then the turn asks the selector;
    /// - when `host` is woken;
    /// - when [`next_deadline`](HostedTurn::next_deadline) has come;
    /// - again at once if [`is_work_left`](HostedTurn::is_work_left).
    ///
    /// A loop of poll(2) without a waker of its own passes one that writes a byte into a pipe, and
    /// watches the pipe too. `examples/ecosystem/glib-guest.rs` is a host with GLib's loop.
    ///
    /// Between two such turns a wake costs no system call of this loop: it wakes `host`, at most
    /// once until the next turn, from whatever thread the wake comes. The host may pass another
    /// waker in each turn; the last one counts. A wake during a turn needs no waker: the turn runs
    /// the task, or returns that work is left.
    ///
    /// A host that does not know whether the descriptor is readable passes `true`; so does one on a
    /// system where a loop has no descriptor (Windows), every few milliseconds.
    ///
    /// A [`turn`](Runtime::turn), a `run` or a `block_on` between two hosted turns is allowed. From
    /// then on a wake makes the descriptor readable, as [`as_fd`](#method.as_fd) describes, until
    /// the next hosted turn. The end of the loop drops the waker.
    ///
    /// # Panics
    ///
    /// A panic of the handler of errors, or of a waker of another runtime, propagates. If work is
    /// left then, `host` is woken.
    ///
    /// # Errors
    ///
    /// If the selector fails.
    ///
    /// ```
    /// use std::task::Waker;
    /// use std::time::{Duration, Instant};
    ///
    /// let mut runtime = evloop::Runtime::new()?;
    /// let task = runtime.spawn(evloop::time::sleep(Duration::from_millis(2)));
    /// let host = Waker::noop(); // the host's own, which ends its wait
    /// loop {
    ///     let turn = runtime.turn_hosted(host, false)?;
    ///     if task.is_finished() {
    ///         break;
    ///     }
    ///     let deadline = turn.next_deadline.expect("the task sleeps");
    ///     std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
    /// }
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "start_guest_run")]
    pub fn turn_hosted(&mut self, host: &Waker, is_readable: bool) -> io::Result<HostedTurn> {
        let batch = self.turn_hosted_with(None, host, is_readable)?;
        Ok(self.hosted_turn(batch))
    }

    /// Enters the loop and begins a root, for a host that `f` runs: its turns poll the root.
    #[cfg(all(feature = "tokio", unix, not(mio_unsupported_force_poll_poll)))]
    pub(crate) fn with_hosted_root<T>(
        &mut self,
        spawned_at: &'static Location<'static>,
        f: impl FnOnce(&mut Runtime) -> T,
    ) -> T {
        let context = self.context.clone();
        let _entered = context.enter();
        let _hosting = current::begin_hosting();
        let record = context.executor.begin_root(spawned_at);
        let result = f(self);
        record.complete();
        result
    }

    /// Runs one hosted turn, which may poll a root.
    pub(crate) fn turn_hosted_with(
        &mut self,
        root: Option<Root<'_>>,
        host: &Waker,
        is_readable: bool,
    ) -> io::Result<Batch> {
        self.driver.set(Driver::Host);
        self.context.inbox.set_host(Some(host));
        self.in_turns(|runtime| {
            look(&runtime.context, is_readable)?;
            Ok(runtime.run_ready(root))
        })
    }

    /// Returns the result of a hosted turn that has ended. The loop is parked again, so a wake that
    /// came too late for the turn is either seen here, or wakes the host.
    pub(crate) fn hosted_turn(&self, batch: Batch) -> HostedTurn {
        let reactor = &self.context.reactor;
        HostedTurn {
            polled: batch.polled(),
            is_work_left: has_work(&self.context) || reactor.has_events_left(),
            next_deadline: reactor.next_deadline(),
        }
    }
}
