//! Which tasks are busy: what the loops show, looked at a thousand times a second.
//!
//! It costs the loops nothing. Invariant: the times between two looks are random, so that no task
//! that runs at regular times is seen always, or never.

use super::json::{Object, Share};
use super::loops::loops;
use crate::threads::Phase;

/// The mean time between two looks, in nanoseconds.
const PERIOD: u64 = 1_000_000;

/// The longest sampling.
const MS_MAX: u64 = 600_000;

/// The shares are given with the tasks for so long.
const KEPT: u64 = 10_000_000_000;

/// The looks of a client's `sample`.
pub(super) struct Sampling {
    until: u64,
    next: u64,
    /// The state of a xorshift generator.
    random: u32,
    looks: Vec<Looks>,
}

/// The looks at one loop.
#[derive(Default)]
struct Looks {
    /// The number of the loop.
    number: u64,
    total: u64,
    waiting: u64,
    outside: u64,
    /// The number of the task, and the looks that saw it, in the order of the numbers; 0: code
    /// outside of tasks.
    tasks: Vec<(u64, u64)>,
}

/// The looks of the last complete sampling.
#[derive(Default)]
pub(super) struct Shares {
    at: u64,
    looks: Vec<Looks>,
}

impl Sampling {
    pub(super) fn begin(ms: u64, now: u64) -> Sampling {
        let until = now + ms.min(MS_MAX) * 1_000_000;
        Sampling { until, next: now, random: now as u32 | 1, looks: Vec::new() }
    }

    pub(super) fn due(&self) -> u64 {
        self.next
    }

    /// Looks at the loops if it is time. Writes the result at the end. Returns whether it is over.
    pub(super) fn advance(&mut self, now: u64, out: &mut String, shares: &mut Shares) -> bool {
        if now < self.next {
            return false;
        }
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.next = now + PERIOD / 2 + u64::from(self.random) % PERIOD;
        if now < self.until {
            self.look();
            return false;
        }
        for looks in &self.looks {
            looks.write(out);
        }
        *shares = Shares { at: now, looks: std::mem::take(&mut self.looks) };
        true
    }

    fn look(&mut self) {
        for inbox in loops(None) {
            let Some(beacon) = &inbox.info.beacon else { continue };
            let (number, view) = (inbox.info.number, beacon.view());
            let index = self.looks.iter().position(|looks| looks.number == number);
            let index = index.unwrap_or_else(|| {
                self.looks.push(Looks { number, ..Looks::default() });
                self.looks.len() - 1
            });
            let looks = &mut self.looks[index];
            looks.total += 1;
            match view.phase {
                Phase::Waiting => looks.waiting += 1,
                Phase::Outside => looks.outside += 1,
                Phase::Turn => looks.count(view.task.unwrap_or(0)),
            }
        }
    }
}

impl Looks {
    fn count(&mut self, task: u64) {
        match self.tasks.binary_search_by_key(&task, |(task, _)| *task) {
            Ok(index) => self.tasks[index].1 += 1,
            Err(index) => self.tasks.insert(index, (task, 1)),
        }
    }

    fn write(&self, out: &mut String) {
        let share = |count| Share(count, self.total);
        let mut line = Object::new(out);
        line.raw("loop", &self.number);
        line.raw("samples", &self.total);
        line.raw("busy_share", &share(self.total - self.waiting - self.outside));
        line.raw("waiting_share", &share(self.waiting));
        line.raw("outside_share", &share(self.outside));
        line.end_line();
        for (task, count) in &self.tasks {
            let mut line = Object::new(out);
            line.raw("loop", &self.number);
            line.option("task", (*task != 0).then_some(*task));
            line.raw("busy_share", &share(*count));
            line.end_line();
        }
    }
}

impl Shares {
    /// Returns the share of a task in the time of its loop, if it was sampled lately.
    pub(super) fn of(&self, number: u64, task: u64, now: u64) -> Option<Share> {
        if now.saturating_sub(self.at) > KEPT {
            return None;
        }
        let looks = self.looks.iter().find(|looks| looks.number == number)?;
        let found = looks.tasks.binary_search_by_key(&task, |(task, _)| *task);
        Some(Share(found.map_or(0, |index| looks.tasks[index].1), looks.total))
    }
}
