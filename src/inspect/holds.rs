//! The watchdog: reports a task that holds its loop for too long, while it still does.
//!
//! It compares what a loop shows with what it showed before: if neither the count of polls nor the
//! running task has changed, the same poll still runs. So the loop reads no clock for it.
//! Invariant: a hold is reported once, and its end once.

use std::io::{self, Write};

use super::kernel;
use crate::clock::{self, nanos};
use crate::current::debug::Name;
use crate::threads::{Beacon, LoopInfo, Phase, View, registry};

/// The thread looks at a loop so many times within its limit.
const LOOKS: u64 = 4;

/// The polls of the watched loops that ran at the last look.
#[derive(Default)]
pub(super) struct Holds(Vec<Hold>);

struct Hold {
    /// The number of the loop.
    number: u64,
    view: View,
    /// The first look at which the poll ran.
    since: u64,
    /// The task, as it was reported: its name may be gone at the end of the hold.
    reported: Option<String>,
}

impl Holds {
    /// Looks at all loops with a limit. Returns when to look again.
    pub(super) fn check(&mut self) -> Option<u64> {
        let inboxes = registry::watched();
        self.0.retain(|hold| inboxes.iter().any(|inbox| inbox.info.number == hold.number));
        let mut next: Option<u64> = None;
        for inbox in &inboxes {
            let Some(beacon) = &inbox.info.beacon else { continue };
            let Some(limit) = beacon.settings.limit.map(nanos) else { continue };
            let now = clock::shared().nanos();
            self.look(&inbox.info, beacon, limit, now);
            let due = now.saturating_add(limit / LOOKS);
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        next
    }

    fn look(&mut self, info: &LoopInfo, beacon: &Beacon, limit: u64, now: u64) {
        let view = beacon.view();
        let Some(hold) = self.0.iter_mut().find(|hold| hold.number == info.number) else {
            self.0.push(Hold { number: info.number, view, since: now, reported: None });
            return;
        };
        if hold.view == view {
            let took = now.saturating_sub(hold.since);
            if view.phase == Phase::Turn && took >= limit && hold.reported.is_none() {
                let task = Named(beacon, &view).to_string();
                report_hold(info, beacon, &task, took);
                hold.reported = Some(task);
            }
            return;
        }
        if let Some(task) = &hold.reported {
            // The hold has ended before the begin of the next turn.
            let is_same = view.turns == hold.view.turns;
            let end = if is_same { now } else { view.began.clamp(hold.since, now.max(hold.since)) };
            let ms = end.saturating_sub(hold.since) / 1_000_000;
            report(format_args!("{task} held the loop `{}` for {ms}ms", info.name));
        }
        *hold = Hold { number: info.number, view, since: now, reported: None };
    }
}

fn report_hold(info: &LoopInfo, beacon: &Beacon, task: &str, took: u64) {
    let what = match beacon.thread.and_then(kernel::thread) {
        Some(thread) if thread.is_computing() => ": it computes".into(),
        Some(thread) => format!(": it is blocked in {}", thread.place()),
        None => String::new(),
    };
    report(format_args!(
        "{task} has held the loop `{}` for {}ms, and still does{what}. Call \
         task::spawn_blocking, or await task::yield_now in between",
        info.name,
        took / 1_000_000,
    ));
}

/// Writes a task as other messages do.
struct Named<'a>(&'a Beacon, &'a View);

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Named(beacon, View { task, place, .. }) = self;
        let Some(task) = task else { return f.write_str("code outside of tasks") };
        write!(f, "task {task}")?;
        if let Some(name) = beacon.name(*task) {
            write!(f, " `{}`", Name(&name))?;
        }
        match place {
            Some(place) => write!(f, " (spawned at {place})"),
            None => Ok(()),
        }
    }
}

/// Prints a line to stderr. Unlike `eprintln`, ignores that stderr is closed.
pub(super) fn report(message: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "evloop: {message}");
}
