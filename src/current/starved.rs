//! The tasks with refused leaves: how many leaves each was refused, and how many it skips.
//!
//! Pure: `budget` decides from it what a poll may take. Invariant: a task is in the table if a leaf
//! of it was refused in its running poll, or in one of the last.

/// The slot of what a host runs between two hosted turns. No task has it.
pub(super) const HOST: u32 = u32::MAX;

/// The number of polls for which the maximum of refused leaves is remembered, at first: a refused
/// child of a scope is polled again only after some polls of its task, one for each scope around
/// it. The number doubles whenever the count rises again, since it was too small then.
const REMEMBERED: u32 = 8;

/// The limit of that number: scopes nested this deep.
const REMEMBERED_MAX: u32 = 1 << 16;

/// The number of tasks in a page of the table of starved tasks: a page takes 1 KiB.
const PAGE: usize = 64;

/// Once in this many polls of a starved task, the number of leaves to skip is independent of the
/// number that was refused before.
const RANDOM_EVERY: u32 = 8;

/// A single refused leaf is skipped only once in this many polls: usually it is the leaf that spent
/// the units, and refusing it costs a useless poll. Odd, so that it does not stay in step with a
/// child of a scope that is polled in every second poll of its task.
const LONE_SKIP_EVERY: u32 = 8191;

/// The tasks with refused leaves, by their slots. An entry of an ended task may remain: it costs
/// the next task in the slot some polls.
pub(super) struct Starved {
    tasks: Tasks,
    /// The number of polls that began after a single leaf was refused.
    lone: u32,
    /// The state of a xorshift generator.
    random: u32,
}

/// A table by slots. Its pages are made on first use, so that it grows without copying them. A map
/// of std would compile more code than the rest of this file.
struct Tasks {
    pages: Vec<Option<Box<[Refused; PAGE]>>>,
    /// The number of tasks in the table: those with a refused leaf now or in the last polls.
    count: usize,
}

/// The numbers of leaves of a task that were refused.
#[derive(Clone, Copy, Default)]
struct Refused {
    /// In the running poll, or in the last one.
    now: u32,
    /// The maximum in the last polls.
    most: u32,
    /// How many polls ago the maximum was.
    age: u32,
    /// For how many polls it is remembered; 0 at first.
    remembered: u32,
}

impl Starved {
    pub(super) const NONE: Starved = Starved { tasks: Tasks::NONE, lone: 0, random: 1 };

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.count == 0
    }

    /// Removes all tasks.
    pub(super) fn clear(&mut self) {
        self.tasks = Tasks::NONE;
    }

    /// Counts a refused leaf of the task in `slot`.
    pub(super) fn refuse(&mut self, slot: u32) {
        self.tasks.refuse(slot);
    }

    /// Returns whether a leaf of the task was refused in the running poll.
    pub(super) fn is_refused(&mut self, slot: u32) -> bool {
        self.tasks.get(slot).is_some_and(|it| it.now > 0)
    }

    /// Returns the number of leaves that the beginning poll of the task in `slot` skips.
    pub(super) fn skip(&mut self, slot: u32) -> u32 {
        let Some(refused) = self.tasks.get(slot) else { return 0 };
        refused.begin_poll();
        let most = refused.most;
        match most {
            0 => {
                self.tasks.remove(slot);
                0
            }
            1 => {
                self.lone += 1;
                u32::from(self.lone % LONE_SKIP_EVERY == 0)
            }
            // At least 1; `n` or more with a probability of 1 in `n`.
            _ if self.random() % RANDOM_EVERY == 0 => u32::MAX / self.random(),
            _ => self.random() % most,
        }
    }

    fn random(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random
    }
}

impl Tasks {
    const NONE: Tasks = Tasks { pages: Vec::new(), count: 0 };

    /// Returns the record of a task that is in the table.
    fn get(&mut self, slot: u32) -> Option<&mut Refused> {
        let (page, index) = place(slot);
        let refused = &mut self.pages.get_mut(page)?.as_mut()?[index];
        refused.is_starved().then_some(refused)
    }

    /// Counts a refused leaf of a task.
    fn refuse(&mut self, slot: u32) {
        let (page, index) = place(slot);
        while self.pages.len() <= page {
            self.pages.push(None);
        }
        let page = self.pages[page].get_or_insert_with(|| Box::new([Refused::default(); PAGE]));
        self.count += usize::from(!page[index].is_starved());
        page[index].now += 1;
    }

    fn remove(&mut self, slot: u32) {
        let (page, index) = place(slot);
        if let Some(page) = &mut self.pages[page] {
            page[index] = Refused::default();
            self.count -= 1;
        }
    }
}

/// Returns the page of a slot, and the index in it. The slot of the host comes first.
fn place(slot: u32) -> (usize, usize) {
    let place = slot.wrapping_sub(HOST) as usize;
    (place / PAGE, place % PAGE)
}

impl Refused {
    fn is_starved(&self) -> bool {
        self.now > 0 || self.most > 0
    }

    fn begin_poll(&mut self) {
        self.age += 1;
        if self.now > self.most {
            self.remembered = (self.remembered * 2).clamp(REMEMBERED, REMEMBERED_MAX);
        }
        if self.now >= self.most || self.age > self.remembered {
            (self.most, self.age) = (self.now, 0);
        }
        self.now = 0;
    }
}
