//! The exact times of all polls, in Trace Event Format: Perfetto and `chrome://tracing` open it.
//!
//! The loops record only while a client asks. Invariant: no more events are taken from the loops
//! before all that were taken are written.

use std::process;
use std::vec::IntoIter;

use super::json::Object;
use super::recorder::{Recorder, beacon};
use crate::threads::beacon::place;
use crate::threads::{Event, Inbox};

const SECONDS_MAX: u64 = 3600;

/// A client's `trace`.
pub(super) struct Trace {
    recorder: Recorder,
    /// What is taken and not written yet, of the loop with the number; the next events last.
    taken: Vec<(u64, IntoIter<Event>)>,
}

impl Trace {
    /// Begins the recording. Returns `None` if another one is going on.
    pub(super) fn begin(seconds: u64, now: u64, out: &mut String) -> Option<Trace> {
        let recorder = Recorder::begin(seconds.min(SECONDS_MAX) * 1_000_000_000, now)?;
        recorder.loops.iter().for_each(|inbox| write_loop(out, inbox));
        Some(Trace { recorder, taken: Vec::new() })
    }

    pub(super) fn due(&self) -> u64 {
        self.recorder.due()
    }

    /// Writes recorded events, until `out` has `limit` bytes. Returns whether it is over.
    pub(super) fn advance(&mut self, now: u64, out: &mut String, limit: usize) -> bool {
        while let Some((number, mut events)) = self.taken.pop() {
            while out.len() < limit {
                let Some(event) = events.next() else { break };
                self.write(out, number, &event);
            }
            if events.len() > 0 {
                self.taken.push((number, events));
                return false;
            }
        }
        let taken = &mut self.taken;
        let is_over = self
            .recorder
            .advance(now, &mut |number, events| taken.push((number, events.into_iter())));
        self.taken.reverse();
        if is_over {
            let mut all = 0;
            self.recorder.end(&mut |_, dropped| all += dropped);
            let mut line = Object::new(out);
            line.raw("dropped", &all);
            line.end_line();
        }
        is_over
    }

    fn write(&self, out: &mut String, number: u64, event: &Event) {
        let inbox = self.recorder.loops.iter().find(|inbox| inbox.info.number == number);
        let name = inbox.and_then(|inbox| beacon(inbox)?.name(event.task));
        let spawned_at = place(event.place);
        let mut line = Object::new(out);
        match (&name, &spawned_at) {
            (Some(name), _) => line.text("name", Some(name)),
            (None, Some(place)) => line.text("name", Some(place)),
            (None, None) => line.word("name", "waits for events"),
        }
        line.word("cat", if event.task == 0 { "wait" } else { "poll" });
        line.word("ph", "X");
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

/// Writes the name of a loop.
fn write_loop(out: &mut String, inbox: &Inbox) {
    let mut line = Object::new(out);
    line.word("name", "thread_name");
    line.word("ph", "M");
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
