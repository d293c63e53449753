//! The loops that answer, and what all answers say about one.
//!
//! Invariant: nothing here asks a loop.

use std::sync::Arc;

use super::json::Object;
use crate::threads::{Beacon, Inbox, Phase, View, registry};

/// A turn that takes longer is stuck.
pub(super) const STUCK: u64 = 250_000_000;

/// Returns the loops that answer: all, or the one with this number.
pub(super) fn loops(number: Option<u64>) -> Vec<Arc<Inbox>> {
    let mut inboxes = registry::watched();
    inboxes.retain(|inbox| {
        inbox.info.beacon.as_ref().is_some_and(|beacon| beacon.settings.is_listening)
            && number.is_none_or(|number| inbox.info.number == number)
    });
    inboxes
}

/// Writes the running task.
pub(super) fn write_task(line: &mut Object<'_>, beacon: &Beacon, view: &View) {
    let name = view.task.and_then(|task| beacon.name(task));
    line.option("task", view.task);
    line.text("task_name", name.as_ref().map(|name| name as _));
    line.text("spawned_at", view.place.as_ref().map(|place| place as _));
}

/// Returns whether a task, or other code, holds the loop.
pub(super) fn is_stuck(beacon: &Beacon, view: &View) -> bool {
    view.phase == Phase::Turn && beacon.now().saturating_sub(view.began) >= STUCK
}
