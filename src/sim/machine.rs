//! The loop of a host that is up, and the program that it runs.

use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;

use crate::caught::{Caught, catch};
use crate::debug::task_lines;
use crate::executor::Root;
use crate::runtime::{Builder, Runtime};

/// The future of a host's program.
pub(super) type Program<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A host that is up.
pub(super) struct Machine(Runtime);

/// What a turn left.
pub(super) enum Turned {
    /// The program has completed.
    Done,
    /// A task is ready.
    Ready,
    /// All tasks wait.
    Waits,
}

impl Machine {
    /// Makes the loop of the host that is current.
    pub(super) fn new(
        builder: Builder,
        started_at: &'static Location<'static>,
    ) -> io::Result<Machine> {
        let runtime = builder.build_host()?;
        runtime.begin_program(started_at);
        Ok(Machine(runtime))
    }

    /// Runs a turn. A panic of the program is returned.
    pub(super) fn turn(
        &mut self,
        program: Root<'_>,
        random: Option<impl FnOnce() -> u64>,
    ) -> Result<Turned, Caught> {
        let turned = catch(|| self.0.turn_host(program, random))?;
        if turned.unwrap_or_else(|error| panic!("the loop of a host cannot wait: {error}")) {
            return Ok(Turned::Done);
        }
        Ok(if self.0.is_ready() { Turned::Ready } else { Turned::Waits })
    }

    /// Returns when the next timer is due, by the clock of the host.
    pub(super) fn next_timer(&self) -> Option<u64> {
        self.0.next_timer()
    }

    /// Ends the loop: drops the program, then its tasks. Returns the first panic of a destructor.
    pub(super) fn end(self, program: Option<Program<'_>>) -> Option<Caught> {
        let Machine(mut runtime) = self;
        let first = catch(|| runtime.end_program(program)).err();
        first.or(catch(|| drop(runtime)).err())
    }

    /// Returns a line for each task: what it waits for and where; and one for each deadlock.
    pub(super) fn task_lines(&self) -> Vec<String> {
        task_lines(&self.0.context)
    }
}
