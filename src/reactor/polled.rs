//! Who waits in the `poll_` methods of an I/O object: one task in each direction, the last that
//! polled.

use std::cell::Cell;
use std::task::Poll;

use crate::source::{Direction, Source, WaiterKey};

/// The places of the `poll_` methods among the waiters.
#[derive(Default)]
pub(crate) struct Polled {
    read: Cell<WaiterKey>,
    write: Cell<WaiterKey>,
}

impl Polled {
    /// Polls with the place of one direction, which is given up on completion.
    pub(crate) fn poll<T>(
        &self,
        source: &Source,
        direction: Direction,
        poll: impl FnOnce(&mut WaiterKey) -> Poll<T>,
    ) -> Poll<T> {
        let key = match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        };
        let mut place = key.get();
        let polled = poll(&mut place);
        if polled.is_ready() {
            source.leave(direction, &mut place);
        }
        key.set(place);
        polled
    }
}
