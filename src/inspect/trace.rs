//! The exact times of all polls, in Trace Event Format: Perfetto and `chrome://tracing` open it.
//!
//! The loops record only while a client asks. Invariant: a recording that has begun is ended, also
//! if the client goes away.

use std::process;
use std::sync::Arc;

use super::json::Object;
use super::loops::loops;
use crate::threads::beacon::place;
use crate::threads::{Beacon, Event, Inbox};

/// The time between two looks for recorded polls, in nanoseconds.
const PERIOD: u64 = 50_000_000;

const SECONDS_MAX: u64 = 3600;

/// A client's `trace`.
pub(super) struct Trace {
    loops: Vec<Arc<Inbox>>,
    until: u64,
    next: u64,
    /// What is taken and not written yet, of the loop with the number; the next event last.
    taken: Vec<(u64, Event)>,
    /// The loops record.
    is_on: bool,
}

impl Trace {
    /// Begins the recording. Returns `None` if another one is going on.
    pub(super) fn begin(seconds: u64, now: u64, out: &mut String) -> Option<Trace> {
        let (all, until) = (loops(None), now + seconds.min(SECONDS_MAX) * 1_000_000_000);
        let mut trace =
            Trace { loops: Vec::new(), until, next: now, taken: Vec::new(), is_on: true };
        for inbox in &all {
            if !beacon(inbox).is_some_and(|beacon| beacon.recording.begin(all.len())) {
                return None;
            }
            trace.loops.push(inbox.clone());
        }
        for inbox in &all {
            write_loop(out, inbox);
            if let Some(beacon) = beacon(inbox) {
                beacon.set_recorded(true);
            }
        }
        Some(trace)
    }

    pub(super) fn due(&self) -> u64 {
        self.next
    }

    /// Writes recorded events, until `out` has `limit` bytes. Returns whether it is over.
    pub(super) fn advance(&mut self, now: u64, out: &mut String, limit: usize) -> bool {
        while out.len() < limit {
            let Some((number, event)) = self.taken.pop() else { break };
            self.write(out, number, &event);
        }
        if !self.taken.is_empty() || now < self.next {
            return false;
        }
        self.take();
        if self.is_on && now >= self.until {
            // A loop hands its last events on in its next turn.
            self.set_recorded(false);
            self.next = now + PERIOD;
            return false;
        }
        self.next = if self.taken.is_empty() { (now + PERIOD).min(self.until) } else { now };
        if self.is_on || !self.taken.is_empty() {
            return false;
        }
        let dropped: u64 = self.loops.drain(..).map(|inbox| end(&inbox)).sum();
        let mut line = Object::new(out);
        line.raw("dropped", &dropped);
        line.end_line();
        true
    }

    fn take(&mut self) {
        for inbox in &self.loops {
            let Some(beacon) = beacon(inbox) else { continue };
            let events = beacon.recording.take();
            self.taken.extend(events.into_iter().rev().map(|event| (inbox.info.number, event)));
        }
    }

    fn set_recorded(&mut self, is_on: bool) {
        self.is_on = is_on;
        for beacon in self.loops.iter().filter_map(|inbox| beacon(inbox)) {
            beacon.set_recorded(is_on);
        }
    }

    fn write(&self, out: &mut String, number: u64, event: &Event) {
        let inbox = self.loops.iter().find(|inbox| inbox.info.number == number);
        let name = inbox.and_then(|inbox| beacon(inbox)?.name(event.task));
        let spawned_at = place(event.place);
        let mut line = Object::new(out);
        match (&name, &spawned_at) {
            (Some(name), _) => line.text("name", Some(name)),
            (None, Some(place)) => line.text("name", Some(place)),
            (None, None) => line.text("name", Some(&"waits for events")),
        }
        line.text("cat", Some(if event.task == 0 { &"wait" } else { &"poll" }));
        line.text("ph", Some(&"X"));
        line.raw("ts", &Micros(event.begin));
        line.raw("dur", &Micros(event.end.saturating_sub(event.begin)));
        line.raw("pid", &process::id());
        line.raw("tid", &number);
        if event.task != 0 {
            let mut arguments = line.object("args");
            arguments.raw("task", &event.task);
            arguments.text("spawned_at", spawned_at.as_ref().map(|place| place as _));
            arguments.end();
        }
        line.end_line();
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        for inbox in &self.loops {
            end(inbox);
        }
    }
}

fn beacon(inbox: &Inbox) -> Option<&Beacon> {
    inbox.info.beacon.as_deref()
}

/// Ends the recording of a loop. Returns the number of events that did not fit.
fn end(inbox: &Inbox) -> u64 {
    let Some(beacon) = beacon(inbox) else { return 0 };
    beacon.set_recorded(false);
    beacon.recording.end()
}

/// Writes the name of a loop.
fn write_loop(out: &mut String, inbox: &Inbox) {
    let mut line = Object::new(out);
    line.text("name", Some(&"thread_name"));
    line.text("ph", Some(&"M"));
    line.raw("pid", &process::id());
    line.raw("tid", &inbox.info.number);
    let mut arguments = line.object("args");
    arguments.text("name", Some(&inbox.info.name));
    arguments.end();
    line.end_line();
}

/// Writes nanoseconds as microseconds.
struct Micros(u64);

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}
