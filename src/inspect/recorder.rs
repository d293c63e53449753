//! The polls of all loops with their exact times, recorded while a client asks.
//!
//! Invariant: a recording that has begun is ended, also if the client goes away.

use std::sync::Arc;

use super::loops::loops;
use crate::threads::{Beacon, Event, Inbox};

/// The time between two looks for recorded polls, in nanoseconds.
const PERIOD: u64 = 50_000_000;

pub(super) const BUSY: &str = "another client records the program: try again later";

/// The recording of all loops for one client.
pub(super) struct Recorder {
    pub(super) loops: Vec<Arc<Inbox>>,
    until: u64,
    next: u64,
    /// The loops record.
    is_on: bool,
}

impl Recorder {
    /// Begins the recording, which lasts for `time` nanoseconds. Returns `None` if another one is
    /// going on.
    pub(super) fn begin(time: u64, now: u64) -> Option<Recorder> {
        let all = loops(None);
        let mut recorder =
            Recorder { loops: Vec::new(), until: now + time, next: now, is_on: true };
        for inbox in &all {
            if !beacon(inbox).is_some_and(|beacon| beacon.recording.begin(all.len())) {
                return None;
            }
            recorder.loops.push(inbox.clone());
        }
        recorder.set_recorded(true);
        Some(recorder)
    }

    pub(super) fn due(&self) -> u64 {
        self.next
    }

    /// Calls `f` with the number of a loop and events that it has recorded, for all events since
    /// the last call. Returns whether the recording is over.
    pub(super) fn advance(&mut self, now: u64, f: &mut dyn FnMut(u64, Vec<Event>)) -> bool {
        if now < self.next {
            return false;
        }
        let mut is_empty = true;
        for inbox in &self.loops {
            for events in beacon(inbox).into_iter().flat_map(|beacon| beacon.recording.take()) {
                is_empty = false;
                f(inbox.info.number, events);
            }
        }
        if self.is_on && now >= self.until {
            // A loop hands its last events on in its next turn.
            self.set_recorded(false);
            self.next = now + PERIOD;
            return false;
        }
        self.next = if is_empty { (now + PERIOD).min(self.until) } else { now };
        !self.is_on && is_empty
    }

    /// Ends the recording. Calls `f` with the number of each loop, and the number of its events
    /// that did not fit.
    pub(super) fn end(&mut self, f: &mut dyn FnMut(u64, u64)) {
        for inbox in self.loops.drain(..) {
            let Some(beacon) = beacon(&inbox) else { continue };
            beacon.set_recorded(false);
            f(inbox.info.number, beacon.recording.end());
        }
    }

    fn set_recorded(&mut self, is_on: bool) {
        self.is_on = is_on;
        for beacon in self.loops.iter().filter_map(|inbox| beacon(inbox)) {
            beacon.set_recorded(is_on);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.end(&mut |_, _| {});
    }
}

pub(super) fn beacon(inbox: &Inbox) -> Option<&Beacon> {
    inbox.info.beacon.as_deref()
}
