//! L0: deadlines and whom they wake: a hierarchical timing wheel.
//!
//! Pure: no system call, the present is a parameter. The wheel has a level for each group of six
//! bits of a tick. A deadline stands at the level of the highest group in which it differs from the
//! present, in the slot that this group says; so its place follows from the two and is not stored.
//! As the present enters a slot of a higher level, the slot's deadlines move down.
//!
//! Invariants: each deadline in the wheel is later than `now`; each slot that is occupied begins
//! after `now`; the lowest level that is occupied holds the nearest deadlines. Hence a deadline has
//! fired exactly when it is not later than `now`, and nobody needs to note it.

use std::collections::VecDeque;
use std::task::Waker;

use slab::Slab;

use crate::clock::Tick;

/// Bits of a tick for each level.
const BITS: u32 = 6;
/// Slots of a level: one for each bit of its `occupied`.
const SLOTS: usize = 1 << BITS;
/// Levels for all 48 bits that a tick has.
const LEVELS: usize = 8;
/// No entry.
const NONE: u32 = u32::MAX;
/// Empty places that are kept for the next deadlines once none is left.
const KEPT_MAX: usize = 1 << 14;

/// Who is to be woken when.
#[derive(Debug)]
pub(crate) struct Timers {
    now: Tick,
    entries: Slab<Entry>,
    /// Which levels hold anything, a bit for each.
    occupied: u32,
    levels: Box<[Level; LEVELS]>,
    /// Room for the entries of one tick while they are sorted; empty between calls.
    due: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    /// Which slots hold anything, a bit for each.
    occupied: u64,
    slots: [Slot; SLOTS],
}

/// A list of entries in the order of insertion.
#[derive(Clone, Copy, Debug)]
struct Slot {
    head: u32,
    tail: u32,
    /// A bound on the slot's deadlines from below: exact unless the nearest was removed.
    earliest: Tick,
}

#[derive(Debug)]
struct Entry {
    /// Nanoseconds: orders what falls into the same tick.
    deadline: u64,
    waker: Waker,
    next: u32,
    previous: u32,
}

/// A deadline in the wheel, until it fires or is removed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimerKey(u32);

const EMPTY: Slot = Slot { head: NONE, tail: NONE, earliest: Tick(u64::MAX) };

impl Timers {
    pub(crate) fn new() -> Timers {
        let level = Level { occupied: 0, slots: [EMPTY; SLOTS] };
        let levels = Box::new([level; LEVELS]);
        Timers { now: Tick(0), entries: Slab::new(), occupied: 0, levels, due: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.occupied == 0
    }

    /// Whether a deadline has been passed, so that its entry, if it had one, is gone.
    pub(crate) fn has_fired(&self, deadline: u64) -> bool {
        Tick::at_or_after(deadline) <= self.now
    }

    /// Adds a deadline that has not fired, in nanoseconds of the loop's clock.
    pub(crate) fn insert(&mut self, deadline: u64, waker: Waker) -> TimerKey {
        debug_assert!(!self.has_fired(deadline));
        let key = self.entries.vacant_key();
        let key = u32::try_from(key).ok().filter(|key| *key != NONE).expect("2^32 timers wait");
        let previous = self.append(key, deadline);
        self.entries.insert(Entry { deadline, waker, next: NONE, previous });
        TimerKey(key)
    }

    /// Removes a deadline that has not fired. The waker comes back to be dropped outside.
    pub(crate) fn remove(&mut self, key: TimerKey) -> Waker {
        let Entry { deadline, waker, next, previous } = self.take(key.0);
        let (level, slot) = self.place(Tick::at_or_after(deadline));
        let list = &mut self.levels[level].slots[slot];
        match previous {
            NONE => list.head = next,
            _ => self.entries[previous as usize].next = next,
        }
        match next {
            NONE => list.tail = previous,
            _ => self.entries[next as usize].previous = previous,
        }
        if list.head == NONE {
            *list = EMPTY;
            self.clear(level, slot);
        }
        waker
    }

    /// Whom a deadline that has not fired will wake.
    pub(crate) fn waker(&mut self, key: TimerKey) -> &mut Waker {
        &mut self.entries[key.0 as usize].waker
    }

    /// When to look again: the nearest deadline, or earlier if that one was removed.
    pub(crate) fn next(&self) -> Option<Tick> {
        let (level, slot) = self.first()?;
        Some(self.levels[level].slots[slot].earliest)
    }

    /// Moves the present on. The wakers of the deadlines passed are added to `fired` in the order
    /// (deadline, insertion).
    pub(crate) fn advance(&mut self, now: Tick, fired: &mut VecDeque<Waker>) {
        while let Some((level, slot)) = self.first() {
            let begin = self.begin(level, slot);
            if begin > now {
                break;
            }
            self.now = begin;
            let list = std::mem::replace(&mut self.levels[level].slots[slot], EMPTY);
            self.clear(level, slot);
            match level {
                0 => self.fire(list, fired),
                _ => self.move_down(list),
            }
        }
        self.now = self.now.max(now);
    }

    /// Where a tick stands, seen from the present.
    fn place(&self, at: Tick) -> (usize, usize) {
        let differing = (at.0 ^ self.now.0) | (SLOTS as u64 - 1);
        let level = (u64::BITS - 1 - differing.leading_zeros()) / BITS;
        (level as usize, (at.0 >> (level * BITS)) as usize % SLOTS)
    }

    /// The slot of the nearest deadlines.
    fn first(&self) -> Option<(usize, usize)> {
        if self.occupied == 0 {
            return None;
        }
        let level = self.occupied.trailing_zeros() as usize;
        Some((level, self.levels[level].occupied.trailing_zeros() as usize))
    }

    /// The tick at which a slot ahead begins.
    fn begin(&self, level: usize, slot: usize) -> Tick {
        let shift = level as u32 * BITS;
        let above = self.now.0 >> shift & !(SLOTS as u64 - 1);
        Tick((above | slot as u64) << shift)
    }

    /// Makes `key` the last of its slot. Returns which was the last before.
    fn append(&mut self, key: u32, deadline: u64) -> u32 {
        let at = Tick::at_or_after(deadline);
        let (level, slot) = self.place(at);
        self.occupied |= 1 << level;
        let level = &mut self.levels[level];
        level.occupied |= 1 << slot;
        let slot = &mut level.slots[slot];
        slot.earliest = slot.earliest.min(at);
        let previous = std::mem::replace(&mut slot.tail, key);
        match previous {
            NONE => slot.head = key,
            _ => self.entries[previous as usize].next = key,
        }
        previous
    }

    /// Notes that a slot is empty.
    fn clear(&mut self, level: usize, slot: usize) {
        self.levels[level].occupied &= !(1 << slot);
        if self.levels[level].occupied == 0 {
            self.occupied &= !(1 << level);
        }
    }

    fn move_down(&mut self, list: Slot) {
        let mut key = list.head;
        while key != NONE {
            let Entry { deadline, next, .. } = self.entries[key as usize];
            let previous = self.append(key, deadline);
            let entry = &mut self.entries[key as usize];
            (entry.previous, entry.next) = (previous, NONE);
            key = next;
        }
    }

    /// Takes out the entries of one tick, which stand in the order of insertion.
    fn fire(&mut self, list: Slot, fired: &mut VecDeque<Waker>) {
        if list.head == list.tail {
            fired.push_back(self.take(list.head).waker);
            return;
        }
        let mut due = std::mem::take(&mut self.due);
        let mut key = list.head;
        while key != NONE {
            let entry = self.take(key);
            key = entry.next;
            due.push(entry);
        }
        due.sort_by_key(|entry| entry.deadline);
        fired.extend(due.drain(..).map(|entry| entry.waker));
        if due.capacity() <= KEPT_MAX {
            self.due = due;
        }
    }

    fn take(&mut self, key: u32) -> Entry {
        let entry = self.entries.remove(key as usize);
        if self.entries.is_empty() && self.entries.capacity() > KEPT_MAX {
            self.entries = Slab::new();
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// Notes when it was woken: the number of wakes before it.
    struct Mark(Arc<AtomicUsize>, AtomicUsize);

    impl Wake for Mark {
        fn wake(self: Arc<Self>) {
            self.1.store(self.0.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    const TICK: u64 = Tick(1).nanos();

    fn noop() -> Waker {
        Waker::noop().clone()
    }

    /// A sequence that looks random, the same each time.
    fn numbers(mut seed: u64) -> impl FnMut() -> u64 {
        move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        }
    }

    #[test]
    fn fires_in_the_order_of_deadline_then_insertion() {
        let mut timers = Timers::new();
        let mut random = numbers(7);
        let wakes = Arc::new(AtomicUsize::new(0));
        let mut marks: Vec<(u64, Arc<Mark>)> = Vec::new();
        for _ in 0..5000 {
            // Many share a tick, some a nanosecond, some are years away.
            let deadline = (TICK + 2000 + random() % 3000 * (random() % 3)) << (random() % 46);
            let mark = Arc::new(Mark(wakes.clone(), AtomicUsize::new(usize::MAX)));
            timers.insert(deadline, mark.clone().into());
            marks.push((deadline, mark));
        }
        let mut now = 1;
        let mut fired = VecDeque::new();
        while let Some(next) = timers.next() {
            assert!(next.0 > now, "what is due has fired");
            now = next.0 + random() % 2 * (random() % next.0);
            timers.advance(Tick(now), &mut fired);
            assert!(!fired.is_empty(), "nothing was removed, so it looked at a deadline");
            fired.drain(..).for_each(Waker::wake);
            for (deadline, mark) in &marks {
                let is_due = Tick::at_or_after(*deadline).0 <= now;
                assert_eq!(mark.1.load(Ordering::Relaxed) != usize::MAX, is_due);
            }
        }
        marks.sort_by_key(|(deadline, _)| *deadline);
        for (order, (_, mark)) in marks.iter().enumerate() {
            assert_eq!(mark.1.load(Ordering::Relaxed), order);
        }
    }

    #[test]
    fn removed_ones_do_not_fire_and_leave_nothing() {
        let mut timers = Timers::new();
        let mut random = numbers(11);
        let mut fired = VecDeque::new();
        for round in 0..100 {
            let begin = timers.now.nanos() + TICK;
            let mut keys: Vec<_> = (0..100)
                .map(|_| timers.insert(begin + 1 + random() % (1 << (round % 60)), noop()))
                .collect();
            while !keys.is_empty() {
                drop(timers.remove(keys.swap_remove(random() as usize % keys.len())));
            }
            assert_eq!(timers.next(), None);
            timers.advance(Tick(timers.now.0 + random() % 1000), &mut fired);
        }
        assert!(fired.is_empty());
    }

    #[test]
    fn far_and_near_ends() {
        let mut timers = Timers::new();
        timers.insert(u64::MAX, noop());
        timers.insert(1, noop());
        assert_eq!(timers.next(), Some(Tick(1)));
        let mut fired = VecDeque::new();
        timers.advance(Tick(1), &mut fired);
        assert_eq!(fired.len(), 1);
        assert!(timers.has_fired(TICK) && !timers.has_fired(TICK + 1));
        let far = timers.next().unwrap();
        timers.advance(Tick(far.0 - 1), &mut fired);
        assert_eq!((fired.len(), timers.next()), (1, Some(far)));
        timers.advance(far, &mut fired);
        assert_eq!((fired.len(), timers.is_empty()), (2, true));
    }

    #[test]
    fn a_lone_deadline_is_looked_at_once() {
        let mut timers = Timers::new();
        let day = 86_400_000_000_000;
        timers.insert(day, noop());
        assert_eq!(timers.next(), Some(Tick::at_or_after(day)));
        timers.advance(timers.next().unwrap(), &mut VecDeque::new());
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_burst_gives_its_memory_back() {
        let mut timers = Timers::new();
        let keys: Vec<_> = (0..100_000).map(|i| timers.insert(1_000_000 + i, noop())).collect();
        assert!(timers.entries.capacity() >= 100_000);
        keys.into_iter().for_each(|key| drop(timers.remove(key)));
        assert!(timers.entries.capacity() <= KEPT_MAX);
    }
}
