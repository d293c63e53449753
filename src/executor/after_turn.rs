//! A function that runs between two turns of a batch.
//!
//! The streams send there what a turn has written. The function runs outside of all tasks.
//! Invariant: the stored function is called before the next turn begins, or before the batch ends.

use super::tasks::Executor;
use crate::caught::catch;

/// Keeps a batch in progress until it is dropped.
pub(super) struct InBatch<'a>(&'a Executor);

impl Executor {
    /// Calls `f` after the running turn, before the next one begins. Returns `false`, without an
    /// effect, if the loop runs no batch now. One place is enough: only the streams use it.
    pub(crate) fn after_turn(&self, f: fn()) -> bool {
        if !self.is_in_batch() {
            return false;
        }
        self.after_turn.set(Some(f));
        self.pause_at.set(0);
        true
    }

    /// Returns whether a batch is in progress.
    pub(crate) fn is_in_batch(&self) -> bool {
        self.is_in_batch.get()
    }

    pub(super) fn begin_batch(&self) -> InBatch<'_> {
        self.is_in_batch.set(true);
        InBatch(self)
    }

    /// Ends a turn after which the batch has paused.
    #[inline]
    pub(super) fn end_turn(&self) {
        if let Some(f) = self.after_turn.get() {
            // A panic of a waker that `f` calls belongs to no task.
            self.clear_running();
            f();
            self.after_turn.set(None);
        }
    }
}

impl Drop for InBatch<'_> {
    #[inline]
    fn drop(&mut self) {
        // The function is left here only after a panic, which is propagated. The function may panic
        // again: each call continues where the last one stopped.
        while self.0.after_turn.get().is_some() {
            let _ = catch(|| self.0.end_turn());
        }
        self.0.is_in_batch.set(false);
    }
}
