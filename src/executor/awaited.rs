//! The task that awaits the output of another one: it is stored there, and woken at the end.

use std::task::Waker;

use super::header::{Flag, Header};
use super::join_error::JoinError;
use super::local_queue;
use super::task_memory::Runnable;
use super::waiter::Waiter;
use super::waker::woken_by;

/// Stores a clone of `waker`, which [`wake_waiter`] wakes. Cloning and dropping a waker is user
/// code: the caller must check again whether the task has ended.
#[inline]
pub(super) fn store_waiter(header: &Header, waker: &Waker) {
    match woken_by(waker) {
        Some(id) => header.waiter.set_task(id),
        None => header.waiter.set_other(waker),
    }
}

/// Wakes the waiter of a task that has ended and left its slot. Called once per task. Returns the
/// task's panic if the task is detached. A panic of this function comes from the waiter's waker,
/// not from the task.
#[inline]
pub(crate) fn wake_waiter(task: &impl Runnable) -> Option<JoinError> {
    let header = task.header();
    if header.has(Flag::IsDetached) {
        return task.discard();
    }
    if header.waiter.is_set() {
        wake(&header.waiter);
    }
    None
}

/// Out of line: many tasks have no waiter.
#[inline(never)]
fn wake(waiter: &Waiter) {
    if let Some(id) = waiter.task() {
        local_queue::wake(id);
    } else if let Some(waker) = waiter.take_other() {
        waker.wake();
    }
}
