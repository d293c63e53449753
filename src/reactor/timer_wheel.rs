//! Deadlines and whom they wake: a hierarchical timing wheel.
//!
//! Pure: no system call, the present is a parameter. The wheel has a level for each group of six
//! bits of a deadline in nanoseconds. A deadline stands at the level of the highest group in which
//! it differs from the present, in the slot that this group says. A slot is a ring of nodes: its
//! own, then those of its deadlines in the order of insertion; so leaving it takes the two
//! neighbours and no look at where it is.
//!
//! A slot that the present passes is sorted, if it is short. Otherwise its deadlines move down, as
//! they do when the present enters it, at the last to a slot for each nanosecond: all deadlines of
//! one become due in one step, however many they are. When there is too much for one call of
//! [`Timers::advance`], moving down and waking go on in the next.
//!
//! Invariants: each deadline in the wheel is later than `now`; each slot that is occupied begins
//! after `now`; the lowest level that is occupied holds the nearest deadlines. Hence a deadline has
//! fired exactly when it is not later than `now`, and nobody needs to note it.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::task::Waker;

/// Bits of a nanosecond for each level.
const BITS: u32 = 6;
/// Slots of a level: one for each bit of its word in `occupied_slots`.
const SLOTS: u32 = 1 << BITS;
/// Bits that the lowest level has less, so that the slots of another are the ticks of the clock.
const LESS: u32 = 2;
/// Levels for all 64 bits of nanoseconds.
const LEVELS: u32 = (u64::BITS + LESS) / BITS;
/// No node: the first is a slot's, and that is never free, due or moving down.
const NONE: u32 = 0;
/// Nodes that are made at once.
const CHUNK: u32 = 64;
/// Nodes that are kept for the next deadlines once none is left.
const KEPT_MAX: usize = 1 << 14;
/// Wakers that one call takes: they take about 50 us to wake.
const FIRED_MAX: usize = 1 << 10;
/// Deadlines that one call moves down, and slots that it passes: some 100 us of them.
const STEPS_MAX: usize = 1 << 13;
/// Deadlines of a slot that are sorted: as many take less time to move down.
const SORTED_MAX: usize = 1 << 10;

/// Who is to be woken when.
#[derive(Debug)]
pub(crate) struct Timers {
    /// In nanoseconds.
    now: u64,
    /// Which levels hold anything, a bit for each.
    occupied: u32,
    /// Which slots of each level hold anything, a bit for each.
    occupied_slots: [u64; LEVELS as usize],
    /// The slots' own, level by level, then the deadlines' and the free ones. Empty at first.
    nodes: Vec<Node>,
    /// The first of the free nodes, each of which has the next as its `next`.
    free: u32,
    /// The first and the last of the nodes whose deadlines have fired and whose wakers are still to
    /// be taken. Each has the next as its `next`.
    due: (u32, u32),
    /// The slot of which a part has moved down. Then `now` is just before it, so that what is
    /// inserted meanwhile stands behind what is left there.
    moving: u32,
    /// The last call of `advance` did not come to its end.
    is_behind: bool,
    /// Room for the deadlines of one slot, with their nodes, while they are sorted; empty between
    /// calls.
    sorted: Vec<(u64, u32)>,
}

/// A deadline; or a slot, the begin and the end of its ring.
#[derive(Debug)]
struct Node {
    /// Nanoseconds. Of a slot: a bound on its deadlines from below, which is exact unless the
    /// nearest was removed.
    deadline: u64,
    /// Of a deadline only.
    waker: Option<Waker>,
    next: u32,
    previous: u32,
}

/// Where the wakers go, and how many more may.
struct Fired<'a> {
    wakers: &'a mut VecDeque<Waker>,
    left: usize,
}

/// A deadline in the wheel, until it fires or is removed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimerKey(NonZeroU32);

impl Timers {
    pub(crate) fn new() -> Timers {
        Timers {
            now: 0,
            occupied: 0,
            occupied_slots: [0; LEVELS as usize],
            nodes: Vec::new(),
            free: NONE,
            due: (NONE, NONE),
            moving: NONE,
            is_behind: false,
            sorted: Vec::new(),
        }
    }

    /// Whether `advance` has nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.occupied == 0 && !self.is_behind
    }

    /// Whether `advance` left something due to its next call.
    pub(crate) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Whether a deadline has been passed, so that its node, if it had one, is no more its own.
    pub(crate) fn has_fired(&self, deadline: u64) -> bool {
        deadline <= self.now
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

    /// When to look again, in nanoseconds: the nearest deadline, or earlier if that was removed.
    pub(crate) fn next(&self) -> Option<u64> {
        if self.is_behind {
            return Some(self.now);
        }
        let slot = self.first()?;
        Some(self.nodes[slot as usize].deadline)
    }

    /// Moves the present on. The wakers of the deadlines passed are added to `fired` in the order
    /// (deadline, insertion). A limited number of them: see [`Timers::is_behind`].
    pub(crate) fn advance(&mut self, now: u64, fired: &mut VecDeque<Waker>) {
        let mut fired = Fired { wakers: fired, left: FIRED_MAX };
        let has_passed = self.pass(now, &mut fired);
        while self.due.0 != NONE && fired.left > 0 {
            let key = self.due.0;
            self.due.0 = self.nodes[key as usize].next;
            self.fire(key, &mut fired);
        }
        self.is_behind = !has_passed || self.due.0 != NONE;
        self.give_back();
    }

    /// Moves the present on, and what is passed to the due. `false` if that was too much.
    fn pass(&mut self, now: u64, fired: &mut Fired<'_>) -> bool {
        let mut steps = STEPS_MAX;
        while let Some(slot) = self.first() {
            let begin = self.begin(slot);
            if begin > now {
                break;
            }
            if steps == 0 {
                return false;
            }
            let Node { next: first, previous: last, .. } = self.nodes[slot as usize];
            let nearest = self.nodes[first as usize].deadline;
            let is_whole = self.moving == NONE;
            if slot < SLOTS || (is_whole && first == last && nearest <= now) {
                self.now = nearest;
                self.clear(slot);
                self.make_due(first, last, fired);
                steps -= 1;
            } else if is_whole && begin | width(slot) <= now && self.sort(slot) {
                self.now = begin | width(slot);
                self.clear(slot);
                steps = steps.saturating_sub(self.make_sorted_due(fired));
            } else {
                self.now = begin;
                self.move_down(slot, &mut steps);
            }
        }
        self.now = self.now.max(now);
        true
    }

    /// The slot of a deadline, seen from the present.
    fn slot(&self, deadline: u64) -> u32 {
        let differing = (deadline ^ self.now) | 1;
        let level = (differing.ilog2() + LESS) / BITS;
        level * SLOTS + (deadline >> shift(level)) as u32 % SLOTS
    }

    /// The slot of the nearest deadlines, or the one that is moving down.
    fn first(&self) -> Option<u32> {
        if self.moving != NONE {
            return Some(self.moving);
        }
        if self.occupied == 0 {
            return None;
        }
        let level = self.occupied.trailing_zeros();
        Some(level * SLOTS + self.occupied_slots[level as usize].trailing_zeros())
    }

    /// When a slot ahead begins.
    fn begin(&self, slot: u32) -> u64 {
        let shift = shift(slot / SLOTS);
        let above = self.now >> shift & !u64::from(SLOTS - 1);
        (above | u64::from(slot % SLOTS)) << shift
    }

    /// Makes `key` the last of its slot. Returns its neighbours: what comes next, and before it.
    fn append(&mut self, key: u32, deadline: u64) -> (u32, u32) {
        let slot = self.slot(deadline);
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

    /// Moves the deadlines of a slot that begins now to lower levels, as many as `steps` allows.
    fn move_down(&mut self, slot: u32, steps: &mut usize) {
        let mut key = self.nodes[slot as usize].next;
        while key != slot && *steps > 0 {
            let Node { deadline, next: after, .. } = self.nodes[key as usize];
            let (next, previous) = self.append(key, deadline);
            let node = &mut self.nodes[key as usize];
            (node.next, node.previous) = (next, previous);
            key = after;
            *steps -= 1;
        }
        if key == slot {
            self.moving = NONE;
            self.clear(slot);
        } else {
            self.moving = slot;
            self.nodes[slot as usize].next = key;
            self.nodes[key as usize].previous = slot;
            self.now -= 1;
        }
    }

    /// Reads the deadlines of a slot in their order into `sorted`. `false` if there are too many.
    fn sort(&mut self, slot: u32) -> bool {
        let mut key = self.nodes[slot as usize].next;
        while key != slot {
            let Node { deadline, next, .. } = self.nodes[key as usize];
            if self.sorted.len() == SORTED_MAX {
                self.sorted.clear();
                return false;
            }
            self.sorted.push((deadline, key));
            key = next;
        }
        self.sorted.sort_by_key(|(deadline, _)| *deadline);
        true
    }

    /// Makes the nodes in `sorted` due. Returns how many they are.
    fn make_sorted_due(&mut self, fired: &mut Fired<'_>) -> usize {
        let mut sorted = std::mem::take(&mut self.sorted);
        let len = sorted.len();
        sorted.drain(..).for_each(|(_, key)| self.make_due(key, key, fired));
        self.sorted = sorted;
        len
    }

    /// Fires a node, if none is due before it and it is alone; else makes a chain of nodes the last
    /// of those that are due.
    #[inline]
    fn make_due(&mut self, first: u32, last: u32, fired: &mut Fired<'_>) {
        if first == last && self.due.0 == NONE && fired.left > 0 {
            return self.fire(first, fired);
        }
        self.nodes[last as usize].next = NONE;
        match self.due {
            (NONE, _) => self.due.0 = first,
            (_, before) => self.nodes[before as usize].next = first,
        }
        self.due.1 = last;
    }

    /// Takes the waker of a node that is in no ring any more, which becomes free.
    #[inline]
    fn fire(&mut self, key: u32, fired: &mut Fired<'_>) {
        if let Some(waker) = self.free(key) {
            fired.wakers.push_back(waker);
            fired.left -= 1;
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
        if self.is_empty() && self.nodes.len() > KEPT_MAX {
            self.nodes = Vec::new();
            self.free = NONE;
        }
    }
}

/// The lowest bit of a level's group.
fn shift(level: u32) -> u32 {
    (level * BITS).saturating_sub(LESS)
}

/// The bits of a nanosecond in which the deadlines of a slot differ.
fn width(slot: u32) -> u64 {
    (1 << shift(slot / SLOTS)) - 1
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
#[path = "timer_wheel_tests.rs"]
mod tests;
