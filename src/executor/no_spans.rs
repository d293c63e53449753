//! Without the feature `tracing`: tasks have no spans. Compiles to nothing.

use std::cell::RefCell;
use std::panic::Location;

use super::run_queue::RunQueue;
use crate::current::{TaskId, WakerId};

pub(super) const ARE_MADE: bool = false;

pub(super) fn spawned(_: TaskId, _: Option<&str>, _: &'static Location<'static>, _: bool) -> bool {
    false
}

pub(super) fn enter(_: TaskId) {}

pub(super) fn ended(_: TaskId) {}

pub(super) fn renamed(_: TaskId, _: &str) {}

/// Queues the slot that `id` names.
#[inline]
pub(super) fn push<T>(queue: &RefCell<RunQueue<T>>, id: WakerId, _: fn(&T) -> TaskId) {
    queue.borrow_mut().push(id);
}
