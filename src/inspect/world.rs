//! What all clients share.
//!
//! Invariant: only the watching thread uses it.

use std::fs::File;

use super::bell::Bell;
use super::kernel::{self, ThreadState};
use super::sampling::Shares;
use super::snapshots::Copies;

/// What all answers share.
pub(super) struct World {
    pub(super) bell: Bell,
    pub(super) copies: Copies,
    pub(super) shares: Shares,
    /// Closed to read files when the process has no other descriptor.
    pub(super) spare: Option<File>,
}

impl World {
    pub(super) fn new(bell: Bell, spare: Option<File>) -> World {
        World { bell, copies: Copies::default(), shares: Shares::default(), spare }
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
}
