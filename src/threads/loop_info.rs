//! The facts about a loop that other threads may read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::beacon::Beacon;

/// The facts about one loop. It outlives the loop, as its handles do.
#[derive(Debug)]
pub(crate) struct LoopInfo {
    /// Unlike a `LoopId`, the number is never reused.
    pub(crate) number: u64,
    pub(crate) name: String,
    /// Debug mode is on. It does not change while the loop exists.
    pub(crate) is_debug: bool,
    /// Another thread watches the loop by it.
    pub(crate) beacon: Option<Arc<Beacon>>,
    /// A thread runs the loop: it is inside of `block_on`, `run` or `turn`.
    is_running: AtomicBool,
}

impl LoopInfo {
    /// Makes the facts about a new loop, with the next number.
    pub(crate) fn new(name: String, is_debug: bool, beacon: Option<Arc<Beacon>>) -> LoopInfo {
        static LATEST: AtomicU64 = AtomicU64::new(0);
        let number = LATEST.fetch_add(1, Ordering::Relaxed) + 1;
        LoopInfo { number, name, is_debug, beacon, is_running: AtomicBool::new(false) }
    }

    /// Called by the loop's thread when it begins or ends to run turns.
    pub(crate) fn set_running(&self, is_running: bool) {
        self.is_running.store(is_running, Ordering::Relaxed);
    }

    /// Returns whether a thread runs the loop. Other threads may see a change later: nothing else
    /// depends on it, so the flag orders no other memory.
    pub(crate) fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Relaxed)
    }
}
