//! L0: deadlines and whom they wake: a hierarchical timing wheel.
//!
//! Pure: no system call, the present is a parameter. The wheel has a level for each group of six
//! bits of a tick. A deadline stands at the level of the highest group in which it differs from the
//! present, in the slot that this group says. As the present enters a slot of a higher level, the
//! slot's deadlines move down. A slot is a ring of nodes: its own, then those of its deadlines in
//! the order of insertion; so leaving it takes the two neighbours and no look at where it is.
//!
//! Invariants: each deadline in the wheel is later than `now`; each slot that is occupied begins
//! after `now`; the lowest level that is occupied holds the nearest deadlines. Hence a deadline has
//! fired exactly when it is not later than `now`, and nobody needs to note it.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::task::Waker;

use crate::clock::Tick;

/// Bits of a tick for each level.
const BITS: u32 = 6;
/// Slots of a level: one for each bit of its word in `occupied_slots`.
const SLOTS: u32 = 1 << BITS;
/// Levels for all 48 bits that a tick has.
const LEVELS: u32 = 8;
/// No node: the first is a slot's, and that is never free.
const NONE: u32 = 0;
/// Nodes that are made at once.
const CHUNK: u32 = 64;
/// Nodes that are kept for the next deadlines once none is left.
const KEPT_MAX: usize = 1 << 14;

/// Who is to be woken when.
#[derive(Debug)]
pub(crate) struct Timers {
    now: Tick,
    /// Which levels hold anything, a bit for each.
    occupied: u32,
    /// Which slots of each level hold anything, a bit for each.
    occupied_slots: [u64; LEVELS as usize],
    /// The slots' own, level by level, then the deadlines' and the free ones. Empty at first.
    nodes: Vec<Node>,
    /// The first of the free nodes, each of which has the next as its `next`.
    free: u32,
    /// Room for the deadlines of one tick while they are sorted; empty between calls.
    due: Vec<Due>,
}

/// A deadline; or a slot, the begin and the end of its ring.
#[derive(Debug)]
struct Node {
    /// Nanoseconds: orders what falls into the same tick. Of a slot: a bound on its deadlines from
    /// below, which is exact unless the nearest was removed.
    deadline: u64,
    /// Of a deadline only.
    waker: Option<Waker>,
    next: u32,
    previous: u32,
}

/// A deadline that fires: its nanoseconds beyond the tick before, and its node.
#[derive(Clone, Copy, Debug)]
struct Due(u32, u32);

/// A deadline in the wheel, until it fires or is removed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimerKey(NonZeroU32);

impl Timers {
    pub(crate) fn new() -> Timers {
        Timers {
            now: Tick(0),
            occupied: 0,
            occupied_slots: [0; LEVELS as usize],
            nodes: Vec::new(),
            free: NONE,
            due: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.occupied == 0
    }

    /// Whether a deadline has been passed, so that its node, if it had one, is free.
    pub(crate) fn has_fired(&self, deadline: u64) -> bool {
        Tick::at_or_after(deadline) <= self.now
    }

    /// Adds a deadline that has not fired, in nanoseconds of the loop's clock.
    #[inline]
    pub(crate) fn insert(&mut self, deadline: u64, waker: Waker) -> TimerKey {
        debug_assert!(!self.has_fired(deadline));
        if self.free == NONE {
            self.add_nodes();
        }
        let key = self.free;
        let (next, previous) = self.append(key, deadline);
        let node = &mut self.nodes[key as usize];
        self.free = node.next;
        (node.deadline, node.next, node.previous) = (deadline, next, previous);
        assert!(node.waker.replace(waker).is_none(), "a node that is free has no waker");
        TimerKey(NonZeroU32::new(key).expect("NONE is not free"))
    }

    /// Removes a deadline that has not fired. The waker comes back to be dropped outside.
    #[inline]
    pub(crate) fn remove(&mut self, key: TimerKey) -> Option<Waker> {
        let Node { next, previous, .. } = self.nodes[key.index()];
        self.nodes[next as usize].previous = previous;
        self.nodes[previous as usize].next = next;
        let waker = self.free(key.0.get());
        // No neighbours but the slot.
        if next == previous {
            self.clear(next);
            self.give_back();
        }
        waker
    }

    /// Whether a deadline that has not fired will wake whom `waker` wakes.
    pub(crate) fn wakes(&self, key: TimerKey, waker: &Waker) -> bool {
        self.nodes[key.index()].waker.as_ref().is_some_and(|old| old.will_wake(waker))
    }

    /// Changes whom a deadline that has not fired will wake. The waker before comes back.
    pub(crate) fn replace_waker(&mut self, key: TimerKey, waker: Waker) -> Option<Waker> {
        self.nodes[key.index()].waker.replace(waker)
    }

    /// When to look again: the nearest deadline, or earlier if that one was removed.
    pub(crate) fn next(&self) -> Option<Tick> {
        let slot = self.first()?;
        Some(Tick::at_or_after(self.nodes[slot as usize].deadline))
    }

    /// Moves the present on. The wakers of the deadlines passed are added to `fired` in the order
    /// (deadline, insertion).
    pub(crate) fn advance(&mut self, now: Tick, fired: &mut VecDeque<Waker>) {
        while let Some(slot) = self.first() {
            let begin = self.begin(slot);
            if begin > now {
                break;
            }
            self.now = begin;
            let first = self.nodes[slot as usize].next;
            self.clear(slot);
            if slot < SLOTS {
                self.fire(slot, first, fired);
            } else {
                self.move_down(slot, first);
            }
        }
        self.now = self.now.max(now);
        self.give_back();
    }

    /// The slot of a tick, seen from the present.
    fn slot(&self, at: Tick) -> u32 {
        let differing = (at.0 ^ self.now.0) | u64::from(SLOTS - 1);
        let level = differing.ilog2() / BITS;
        level * SLOTS + (at.0 >> (level * BITS)) as u32 % SLOTS
    }

    /// The slot of the nearest deadlines.
    fn first(&self) -> Option<u32> {
        if self.occupied == 0 {
            return None;
        }
        let level = self.occupied.trailing_zeros();
        Some(level * SLOTS + self.occupied_slots[level as usize].trailing_zeros())
    }

    /// The tick at which a slot ahead begins.
    fn begin(&self, slot: u32) -> Tick {
        let shift = slot / SLOTS * BITS;
        let above = self.now.0 >> shift & !u64::from(SLOTS - 1);
        Tick((above | u64::from(slot % SLOTS)) << shift)
    }

    /// Makes `key` the last of its slot. Returns its neighbours: what comes next, and before it.
    fn append(&mut self, key: u32, deadline: u64) -> (u32, u32) {
        let slot = self.slot(Tick::at_or_after(deadline));
        let level = slot / SLOTS;
        self.occupied |= 1 << level;
        self.occupied_slots[level as usize] |= 1 << (slot % SLOTS);
        let ring = &mut self.nodes[slot as usize];
        ring.deadline = ring.deadline.min(deadline);
        let last = std::mem::replace(&mut ring.previous, key);
        self.nodes[last as usize].next = key;
        (slot, last)
    }

    /// Makes a slot an empty ring.
    fn clear(&mut self, slot: u32) {
        self.nodes[slot as usize] = Node::ring(slot);
        let level = slot / SLOTS;
        let slots = &mut self.occupied_slots[level as usize];
        *slots &= !(1 << (slot % SLOTS));
        if *slots == 0 {
            self.occupied &= !(1 << level);
        }
    }

    fn move_down(&mut self, slot: u32, first: u32) {
        let mut key = first;
        while key != slot {
            let Node { deadline, next: after, .. } = self.nodes[key as usize];
            let (next, previous) = self.append(key, deadline);
            let node = &mut self.nodes[key as usize];
            (node.next, node.previous) = (next, previous);
            key = after;
        }
    }

    /// Frees the nodes of one tick, which stand in the order of insertion.
    fn fire(&mut self, slot: u32, first: u32, fired: &mut VecDeque<Waker>) {
        let before = Tick(self.now.0 - 1).nanos();
        let mut due = std::mem::take(&mut self.due);
        let mut key = first;
        while key != slot {
            let Node { deadline, next, .. } = self.nodes[key as usize];
            // A tick has 16 bits of nanoseconds, the last of all twice as many.
            due.push(Due((deadline - before) as u32, key));
            key = next;
        }
        due.sort_by_key(|due| due.0);
        fired.extend(due.drain(..).filter_map(|due| self.free(due.1)));
        if due.capacity() <= KEPT_MAX {
            self.due = due;
        }
    }

    /// Makes a node free that is in no ring any more.
    fn free(&mut self, key: u32) -> Option<Waker> {
        let node = &mut self.nodes[key as usize];
        node.next = std::mem::replace(&mut self.free, key);
        node.waker.take()
    }

    /// Makes free nodes, where none is left, and the slots before the first of them.
    #[cold]
    fn add_nodes(&mut self) {
        if self.nodes.is_empty() {
            self.nodes.extend((0..LEVELS * SLOTS).map(Node::ring));
        }
        let first = self.nodes.len() as u32;
        let end = first.checked_add(CHUNK).expect("2^32 timers wait");
        self.nodes.extend((first + 1..end).map(Node::free));
        self.nodes.push(Node::free(NONE));
        self.free = first;
    }

    /// Gives the memory of a burst back, after it.
    fn give_back(&mut self) {
        if self.occupied == 0 && self.nodes.len() > KEPT_MAX {
            self.nodes = Vec::new();
            self.free = NONE;
        }
    }
}

impl Node {
    /// An empty slot.
    fn ring(slot: u32) -> Node {
        Node { deadline: u64::MAX, waker: None, next: slot, previous: slot }
    }

    fn free(next: u32) -> Node {
        Node { deadline: 0, waker: None, next, previous: NONE }
    }
}

impl TimerKey {
    fn index(self) -> usize {
        self.0.get() as usize
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
        assert!(timers.nodes.capacity() >= 100_000);
        keys.into_iter().for_each(|key| drop(timers.remove(key)));
        assert!(timers.nodes.capacity() <= KEPT_MAX);
    }
}
