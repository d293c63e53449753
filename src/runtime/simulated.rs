//! A loop that is a host of a simulated world: the driver of the world runs its turns.

use std::io;
use std::panic::Location;

use super::builder::Builder;
use super::event_loop::Runtime;
use super::wait::look;
use crate::executor::Root;
use crate::world::{self, Kind};

impl Builder {
    /// Creates the loop of the host that is current.
    pub(crate) fn build_host(self) -> io::Result<Runtime> {
        self.build_unchecked()
    }
}

impl Runtime {
    /// Begins a program, which the driver passes to each turn as the root.
    pub(crate) fn begin_program(&self, started_at: &'static Location<'static>) {
        self.context.executor.start_root(started_at);
    }

    /// Ends the program: drops it inside of the loop, as its destructors expect.
    pub(crate) fn end_program<P>(&mut self, program: P) {
        self.with_entered(|runtime| {
            drop(program);
            runtime.context.executor.end_root();
        });
    }

    /// Runs a turn as [`turn`](Runtime::turn) does, without waiting. With a source of random
    /// numbers, the turn polls one of the ready tasks, which that chooses; otherwise it polls them
    /// in their order. Returns whether the program has completed.
    pub(crate) fn turn_host(
        &mut self,
        program: Root<'_>,
        random: Option<impl FnOnce() -> u64>,
    ) -> io::Result<bool> {
        self.with_entered(|runtime| {
            look(&runtime.context, true)?;
            runtime.make_ready();
            let executor = &runtime.context.executor;
            let turns_max = match random {
                Some(random) => {
                    executor.choose(random);
                    1
                }
                None => runtime.batch_max,
            };
            if let Some(here) = world::here() {
                match executor.next_task().filter(|_| turns_max == 1) {
                    Some(task) => here.record(Kind::Poll, task.ordinal()),
                    None => here.record(Kind::Turn, executor.ready() as u64),
                }
            }
            Ok(executor.run_batch(Some(program), turns_max).root_done)
        })
    }

    /// Returns whether the loop has work to do without an event. Memory to be freed does not count:
    /// it depends on earlier loops of the thread.
    pub(crate) fn is_ready(&self) -> bool {
        let context = &self.context;
        let is_woken = context.inbox.is_pending() || context.reactor.has_pending_wakes();
        is_woken || context.executor.ready() > 0
    }

    /// Returns when the next timer is due, by the clock of the host.
    pub(crate) fn next_timer(&self) -> Option<u64> {
        self.context.reactor.next_nanos()
    }
}
