//! The commands that ask a loop: its counts, its tasks, its timers, its sources.
//!
//! A loop that does not answer in time is stuck, or nobody runs it: then the last copy is the
//! answer, with its age. Invariant: one copy of one loop is written at a time.

use std::sync::Arc;
use std::time::Instant;

use super::json::{Histogram, Object};
use super::loops::{STUCK, is_stuck, write_task};
use super::shared::Shared;
use super::snapshots::{Copy, Kind};
use crate::clock;
use crate::context::{Edges, SourceRecord, TaskRecord, TimerRecord, WaitsOn};
use crate::current::WaitsFor;
use crate::executor::TaskState;
use crate::sys::Descriptor;
use crate::threads::{Beacon, Inbox};

/// A loop measures its turns for so long after the last `loops`, in nanoseconds.
const TIMED: u64 = 60_000_000_000;

/// At most so many further things that a task waits on are listed.
const MORE_MAX: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Loops,
    Tasks,
    Timers,
    Sources,
}

/// The lines of one table of one or more loops.
pub(super) struct Tables {
    table: Table,
    /// The loops that are left, the next one last.
    loops: Vec<Arc<Inbox>>,
    step: Step,
}

enum Step {
    /// The next loop is to be asked.
    Ask,
    /// The loop was asked at this time, and has to answer, or go on to answer, before the second.
    Asked(Arc<Inbox>, u64, u64),
    /// The rows of the copy from this index on are not written yet.
    Write(Arc<Inbox>, Arc<Copy>, usize),
}

impl Tables {
    pub(super) fn new(table: Table, mut loops: Vec<Arc<Inbox>>) -> Tables {
        loops.reverse();
        Tables { table, loops, step: Step::Ask }
    }

    pub(super) fn due(&self) -> Option<u64> {
        match self.step {
            Step::Asked(.., limit) => Some(limit),
            _ => None,
        }
    }

    fn kind(&self) -> Kind {
        if self.table == Table::Loops { Kind::Figures } else { Kind::Tables }
    }

    /// Writes lines, until `out` has `limit` bytes or a loop has to answer. Returns whether all are
    /// written.
    pub(super) fn advance(
        &mut self,
        now: u64,
        out: &mut String,
        limit: usize,
        shared: &mut Shared,
    ) -> bool {
        let kind = self.kind();
        while out.len() < limit {
            match &mut self.step {
                Step::Ask => {
                    let Some(inbox) = self.loops.pop() else { return true };
                    shared.copies.ask(&inbox, kind, &shared.bell);
                    self.step = Step::Asked(inbox, now, now + STUCK);
                }
                Step::Asked(inbox, asked_at, answer_at) => {
                    let (inbox, asked_at) = (inbox.clone(), *asked_at);
                    let last = shared.copies.last(inbox.info.number, kind);
                    let fresh = last.as_ref().filter(|(at, _)| *at >= asked_at);
                    let progress = shared.copies.progress(inbox.info.number, kind);
                    *answer_at = (*answer_at).max(progress + STUCK);
                    if fresh.is_none() && !inbox.is_closed() && now < *answer_at {
                        return false;
                    }
                    if fresh.is_none() {
                        write_stale(out, &inbox, last.as_ref().map(|(at, _)| now - at));
                    }
                    self.step = match last {
                        Some((_, copy)) => Step::Write(inbox, copy, 0),
                        None => Step::Ask,
                    };
                }
                Step::Write(inbox, copy, index) => {
                    if write_row(self.table, inbox, copy, *index, out, shared) {
                        *index += 1;
                    } else {
                        self.step = Step::Ask;
                    }
                }
            }
        }
        false
    }
}

/// Writes that what follows is old. Without an older copy nothing follows: the task that holds the
/// loop is all that is known.
fn write_stale(out: &mut String, inbox: &Inbox, age: Option<u64>) {
    let Some(beacon) = &inbox.info.beacon else { return };
    let view = beacon.view();
    let mut line = Object::new(out);
    line.number("loop", inbox.info.number);
    match age {
        Some(age) => line.millis("stale_ms", age),
        None => line.null("stale_ms"),
    }
    line.raw("stuck", &is_stuck(&view, beacon.now()));
    write_task(&mut line, beacon, &view);
    line.end_line();
}

/// Writes the row `index` of a table. Returns `false` if there is none.
fn write_row(
    table: Table,
    inbox: &Inbox,
    copy: &Copy,
    index: usize,
    out: &mut String,
    shared: &Shared,
) -> bool {
    let Some(beacon) = &inbox.info.beacon else { return false };
    let number = inbox.info.number;
    let has_row = match table {
        Table::Loops => index == 0,
        Table::Tasks => index < copy.snapshot.tasks.len(),
        Table::Timers => index < copy.snapshot.timers.len(),
        Table::Sources => index < copy.snapshot.sources.len(),
    };
    if !has_row {
        return false;
    }
    let mut line = Object::new(out);
    line.number("loop", number);
    match table {
        Table::Loops => write_figures(&mut line, inbox, beacon, copy),
        Table::Tasks => write_record(&mut line, number, copy, index, shared),
        Table::Timers => write_timer(&mut line, &copy.snapshot.timers[index]),
        Table::Sources => write_source(&mut line, &copy.snapshot.sources[index]),
    }
    line.end_line();
    true
}

fn write_figures(line: &mut Object<'_>, inbox: &Inbox, beacon: &Beacon, copy: &Copy) {
    let (times, figures) = (beacon.times(), &copy.figures);
    beacon.measure(TIMED);
    line.text("name", Some(&inbox.info.name));
    line.raw("turns", &beacon.view().turns);
    line.millis("wait_ms", times.waited);
    line.millis("busy_ms", times.busy);
    line.raw("lag", &Histogram(&times.lags));
    let counts = [
        ("ready", figures.ready),
        ("tasks", figures.tasks),
        ("timers", figures.timers),
        ("sources", figures.sources),
        ("blocking_threads", figures.blocking_threads),
        ("busy_blocking_threads", figures.busy_blocking_threads),
        ("queued_blocking_work", figures.queued_blocking_work),
        ("inbox", inbox.len()),
    ];
    for (key, count) in counts {
        line.raw(key, &count);
    }
}

fn write_record(line: &mut Object<'_>, number: u64, copy: &Copy, index: usize, shared: &Shared) {
    let task = &copy.snapshot.tasks[index];
    line.number("task", task.id.number());
    line.number("slot", task.waker_id.slot());
    line.text("name", task.name.as_ref().map(|name| name as _));
    line.place("spawned_at", Some(task.spawned_at));
    line.option("parent", task.parent.map(|parent| parent.number()));
    let state = match task.state {
        TaskState::Running => "running",
        TaskState::Ready => "ready",
        TaskState::Waiting => "waiting",
        TaskState::Ended => "ended",
    };
    line.word("state", state);
    line.number("polls", task.polls);
    write_waits(line, task, &copy.edges);
    match shared.shares.of(number, task.id.number(), clock::shared().nanos()) {
        Some(share) => line.raw("busy_share", &share),
        None => line.null("busy_share"),
    }
}

fn write_waits(line: &mut Object<'_>, task: &TaskRecord, edges: &Edges) {
    if task.state != TaskState::Waiting {
        return line.null("waits");
    }
    let mut waits = line.object("waits");
    waits.word("for", name(task.waits_for));
    waits.place("at", task.waits_at);
    let mut all = edges.of_task(task);
    // What the last future waits on is the answer; the others follow.
    let last = all.iter().position(|on| Some(on.kind()) == task.waits_for);
    if let Some(last) = last {
        all.swap(0, last);
    }
    match all.first() {
        Some(on) => write_on(waits.object("on"), on),
        None => waits.null("on"),
    }
    let mut more = waits.list("more");
    for on in all.iter().skip(1).take(MORE_MAX) {
        write_on(more.object(), on);
    }
    more.end();
    waits.end();
}

fn write_on(mut object: Object<'_>, on: &WaitsOn) {
    match on {
        WaitsOn::Task(task) => object.number("task", task.number()),
        WaitsOn::Child(task) => object.number("child", task.number()),
        WaitsOn::Timer(at) => object.millis("due_ms", due(*at)),
        WaitsOn::Read(descriptor) => write_descriptor(&mut object, *descriptor, "read"),
        WaitsOn::Write(descriptor) => write_descriptor(&mut object, *descriptor, "write"),
        WaitsOn::Lock { kind, holders } => {
            let mut lock = object.object("lock");
            lock.word("kind", kind);
            let mut list = lock.list("held_by");
            for holder in holders {
                list.option(Some(holder.number()));
            }
            list.end();
            lock.end();
        }
    }
    object.end();
}

fn write_descriptor(object: &mut Object<'_>, descriptor: Descriptor, direction: &str) {
    object.raw("fd", &descriptor);
    object.word("direction", direction);
}

/// Returns the time until then, in nanoseconds.
fn due(at: Instant) -> u64 {
    clock::nanos(at.saturating_duration_since(clock::now()))
}

/// Returns the word of the protocol for what a task waits for.
fn name(waits_for: Option<WaitsFor>) -> &'static str {
    match waits_for {
        Some(WaitsFor::Task) => "task",
        Some(WaitsFor::Time) => "time",
        Some(WaitsFor::Io) => "io",
        Some(WaitsFor::Channel) => "channel",
        Some(WaitsFor::Lock) => "lock",
        Some(WaitsFor::Event) => "event",
        Some(WaitsFor::Thread) => "thread",
        None => "unknown",
    }
}

/// Writes when a timer is due, and the slot of the task that it wakes: `null` if a waker of another
/// crate is between.
fn write_timer(line: &mut Object<'_>, timer: &TimerRecord) {
    line.millis("due_ms", due(timer.deadline));
    line.option("slot", timer.waiter.map(|waiter| waiter.slot().into()));
}

fn write_source(line: &mut Object<'_>, source: &SourceRecord) {
    line.raw("fd", &source.descriptor);
    for (key, waiters) in [("readers", &source.readers), ("writers", &source.writers)] {
        let mut slots = line.list(key);
        for waiter in waiters {
            slots.option(waiter.map(|id| id.slot().into()));
        }
        slots.end();
    }
}
