//! What has a slot in the run queue, and runs when its turn has come.

use super::join_error::JoinError;
use super::task_info::Header;
use crate::caught::Caught;

/// A task, as the executor sees it.
pub(crate) trait Runnable {
    fn header(&self) -> &Header;

    /// Takes its turn; nothing if it is in one, or has ended. A panic of the task goes through:
    /// then it is to be [recovered](Runnable::recover).
    fn run(&self) -> RunOutcome;

    /// Ends the task whose poll, or whose future's destructor, has panicked. Returns the panic if
    /// it was not the task's.
    fn recover(&self, panic: Caught) -> Result<(), Caught>;

    /// Drops the output of a task that has ended. Returns the panic that it was, or that its
    /// destructor raised.
    fn discard(&self) -> Option<JoinError>;
}

/// What became of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunOutcome {
    /// It was polled, and waits.
    Pending,
    /// It was polled, and has ended.
    Ready,
    /// It was aborted, and has ended.
    Aborted,
    /// It is a child's, which its scope will run.
    Delegated,
}

/// Wakes the waiter of a task that has ended and left its slot. Called once a task. Returns the
/// task's panic if nothing else will report it. A panic in here is not the task's.
pub(crate) fn tell(task: &dyn Runnable) -> Option<JoinError> {
    let header = task.header();
    if header.is_detached.get() {
        return task.discard();
    }
    if let Some(waiter) = header.waiter.take() {
        waiter.wake();
    }
    None
}
