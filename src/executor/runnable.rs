//! The steps of a task, as the executor and the scopes call them.

use super::header::{Flag, Header};
use super::join_error::JoinError;
use crate::caught::Caught;

/// A task that can be run: by the run queue, or by the scope of a child.
pub(crate) trait Runnable {
    fn header(&self) -> &Header;

    /// Runs one turn. Does nothing if the task is in a turn already, or has ended. Propagates a
    /// panic of the task: then the caller must call [`recover`](Runnable::recover).
    fn run(&self) -> RunOutcome;

    /// Ends the task after a panic of its poll or of its future's destructor.
    ///
    /// # Errors
    ///
    /// Returns the panic if the task did not raise it.
    fn recover(&self, panic: Caught) -> Result<(), Caught>;

    /// Drops the output of a task that has ended. Returns the panic of the task, or of the output's
    /// destructor.
    fn discard(&self) -> Option<JoinError>;
}

/// The result of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunOutcome {
    /// The task was polled, and waits.
    Pending,
    /// The task was polled, and has ended.
    Ready,
    /// The task was aborted, and has ended.
    Aborted,
    /// The slot is a child's: its scope will run the child.
    Delegated,
}

/// Wakes the waiter of a task that has ended and left its slot. Called once per task. Returns the
/// task's panic if the task is detached. A panic of this function comes from the waiter's waker,
/// not from the task.
pub(crate) fn wake_waiter(task: &impl Runnable) -> Option<JoinError> {
    let header = task.header();
    if header.has(Flag::IsDetached) {
        return task.discard();
    }
    if let Some(waiter) = header.waiter.take() {
        waiter.wake();
    }
    None
}
