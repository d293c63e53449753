//! What all clients share.
//!
//! Invariant: only the watching thread uses it.

use std::fs::File;

use super::bell::Bell;
use super::kernel::{self, ThreadState};
use super::sampling::Shares;
use super::snapshots::Copies;

/// What all answers share.
pub(super) struct Shared {
    pub(super) bell: Bell,
    pub(super) copies: Copies,
    pub(super) shares: Shares,
    /// Closed to read files when the process has no other descriptor.
    spare: Option<File>,
}

impl Shared {
    pub(super) fn new(bell: Bell) -> Shared {
        Shared { bell, copies: Copies::default(), shares: Shares::default(), spare: open_spare() }
    }

    /// Returns the state of a thread. Uses the spare descriptor if the process has no other.
    pub(super) fn thread(&mut self, thread: u32) -> Option<ThreadState> {
        let mut read = kernel::read(thread);
        if read.is_err() {
            self.spare = None;
            read = kernel::read(thread);
        }
        read.ok().flatten()
    }

    /// Opens the spare descriptor again if it was used.
    pub(super) fn refill(&mut self) {
        self.spare = self.spare.take().or_else(open_spare);
    }
}

/// Opens a descriptor that can be closed when the process has no other.
pub(super) fn open_spare() -> Option<File> {
    File::open("/dev/null").ok()
}
