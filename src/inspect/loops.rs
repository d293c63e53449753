//! The loops that answer, and what all answers say about one.
//!
//! Invariant: nothing here asks a loop.

use std::sync::Arc;

use super::json::Object;
use super::kernel::ThreadState;
use crate::threads::{Beacon, Inbox, LoopInfo, Phase, View, registry};

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
    line.place("spawned_at", view.place);
}

/// Returns whether a task, or other code, holds the loop at the time `now` of its beacon.
pub(super) fn is_stuck(view: &View, now: u64) -> bool {
    view.phase == Phase::Turn && now.saturating_sub(view.began) >= STUCK
}

/// Writes the line of a loop in the answer to `status`.
pub(super) fn write_loop_status(
    out: &mut String,
    info: &LoopInfo,
    beacon: &Beacon,
    thread: Option<&ThreadState>,
    age: Option<u64>,
) {
    let view = beacon.view();
    // Read once, so that `turn_ms` and `stuck` agree.
    let now = beacon.now();
    let mut line = Object::new(out);
    line.raw("loop", &info.number);
    line.text("name", Some(&info.name));
    let phase = match view.phase {
        Phase::Turn => "turn",
        Phase::Waiting => "waiting",
        Phase::Outside => "outside",
    };
    line.word("phase", phase);
    line.millis("turn_ms", now.saturating_sub(view.began));
    write_task(&mut line, beacon, &view);
    line.raw("polls", &view.polls);
    line.raw("turns", &view.turns);
    match (thread, beacon.thread) {
        (Some(thread), Some(tid)) => write_kernel(line.object("kernel"), tid, thread),
        _ => line.null("kernel"),
    }
    match age {
        Some(age) => line.millis("snapshot_age_ms", age),
        None => line.null("snapshot_age_ms"),
    }
    line.raw("stuck", &is_stuck(&view, now));
    line.end_line();
}

fn write_kernel(mut kernel: Object<'_>, tid: u32, thread: &ThreadState) {
    kernel.raw("tid", &tid);
    kernel.text("state", Some(&thread.state));
    kernel.text("wchan", thread.wchan.as_ref().map(|text| text as _));
    kernel.text("syscall", thread.syscall.as_ref().map(|text| text as _));
    kernel.raw("cpu_ms", &thread.cpu_ms);
    kernel.end();
}
