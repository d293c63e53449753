//! How the time of a world passes.

use std::io;
use std::time::Duration;

use super::hosts::HostId;
use super::state::State;

/// The turns without an event after which each further turn takes some time: a task may wait for
/// the time to pass without a timer.
pub(crate) const TURNS_WITHOUT_EVENT: u32 = 1_000;
const TURN_NANOS: u64 = 1_000;

const STANDSTILL: &str = "nothing can happen any more in the simulated world of this loop: its \
     tasks wait for each other, or for another thread";

impl State {
    /// Handles the next event, and advances the time to it. Returns `false` if none is left.
    pub(super) fn advance(&mut self) -> bool {
        let Some((at, happening)) = self.events.pop() else { return false };
        self.now = self.now.max(at);
        self.handle(happening);
        true
    }

    /// Lets time pass without an event: at most until the next one.
    pub(super) fn pass(&mut self, nanos: u64) {
        let limit = self.events.next_time().unwrap_or(u64::MAX);
        self.now = self.now.saturating_add(nanos).min(limit).max(self.now);
    }

    /// Counts a turn of a world without a driver. Lets the time pass if there were many without an
    /// event.
    pub(super) fn count_turn(&mut self) {
        self.turns_without_event = self.turns_without_event.saturating_add(1);
        if self.turns_without_event <= TURNS_WITHOUT_EVENT {
            return;
        }
        let end = self.turn_end();
        self.pass_until(end);
    }

    /// Handles the events of this instant: otherwise the time would not pass. Returns when a turn
    /// that takes time ends: after [`TURN_NANOS`], or with the next event.
    pub(super) fn turn_end(&mut self) -> u64 {
        let now = self.now;
        while self.events.next_time().is_some_and(|at| at <= now) {
            self.advance();
        }
        let end = now.saturating_add(TURN_NANOS);
        self.events.next_time().map_or(end, |at| at.min(end))
    }

    /// Lets the time pass until `end`, and handles the next event if it is not later.
    pub(super) fn pass_until(&mut self, end: u64) {
        match self.events.next_time().filter(|at| *at <= end) {
            Some(_) => _ = self.advance(),
            None => self.now = end,
        }
    }

    /// Waits as a selector does, in a world without a driver: lets the time pass until the host has
    /// an event, for `timeout` at most.
    ///
    /// # Errors
    ///
    /// If nothing can happen any more.
    pub(super) fn wait(&mut self, host: HostId, timeout: Option<Duration>) -> io::Result<()> {
        self.count_turn();
        let nanos = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        let end = timeout.map(|timeout| self.now.saturating_add(nanos(timeout)));
        loop {
            let next = self.events.next_time();
            let is_due = next.is_some_and(|at| at <= self.now);
            // As on the loopback of a system, packets arrive while the host is busy.
            if !is_due && !self.hosts[host].ready.is_empty() {
                return Ok(());
            }
            match (next, end) {
                (Some(at), _) if is_due || end.is_none_or(|end| at <= end) => {
                    self.advance();
                }
                (_, Some(end)) => {
                    self.pass(end - self.now);
                    return Ok(());
                }
                _ => return Err(io::Error::other(STANDSTILL)),
            }
            self.turns_without_event = 0;
        }
    }
}
