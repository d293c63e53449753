//! What the driver knows of one host.

use std::panic::Location;
use std::rc::Rc;

use super::machine::{Machine, Program};

/// Makes the future of a host's program, at each start.
pub(super) type Start<'env> = Rc<dyn Fn() -> Program<'env> + 'env>;

/// How a host ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The power fails: no packet leaves the host any more.
    Crash,
    /// The process is killed: the system closes its sockets.
    Kill,
    /// The program is dropped: its destructors close its sockets.
    Stop,
}

/// A host, up or down.
pub(super) struct Slot<'env> {
    pub(super) started_at: &'static Location<'static>,
    /// `None`: the program starts only once.
    pub(super) start: Option<Start<'env>>,
    /// `None` while the host is down, and during its turn.
    pub(super) machine: Option<Machine>,
    /// The future of the program; `None` of the script.
    pub(super) program: Option<Program<'env>>,
    pub(super) is_in_turn: bool,
    /// What happens after the turn: the host ends, and may start again.
    pub(super) ends: bool,
    pub(super) restarts: bool,
    /// The offset in nanoseconds and the drift in parts per million of its clock.
    pub(super) clock: (i64, i64),
}

impl<'env> Slot<'env> {
    /// A host that is down.
    pub(super) fn new(
        started_at: &'static Location<'static>,
        start: Option<Start<'env>>,
    ) -> Slot<'env> {
        Slot {
            started_at,
            start,
            machine: None,
            program: None,
            is_in_turn: false,
            ends: false,
            restarts: false,
            clock: (0, 0),
        }
    }

    /// Returns whether the host is up, and will be after its turn if it runs one.
    pub(super) fn is_up(&self) -> bool {
        self.machine.is_some() || self.is_in_turn && !self.ends
    }

    /// Takes the loop and the program of a host that is up.
    pub(super) fn begin_turn(&mut self) -> Option<(Machine, Option<Program<'env>>)> {
        let machine = self.machine.take()?;
        self.is_in_turn = true;
        Some((machine, self.program.take()))
    }
}
