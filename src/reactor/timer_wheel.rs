//! A hierarchical timing wheel: deadlines and the wakers they wake.
//!
//! Pure: this file makes no system call; the current time is a parameter. The wheel has a level for
//! each group of six bits of a deadline in nanoseconds. A deadline is stored at the level of the
//! highest group of bits in which it differs from the current time, in the slot whose number is the
//! value of that group. A slot is a circular doubly linked list: its head, then its deadlines in
//! the order of insertion. So a removal needs the two neighbours only, not the slot.
//!
//! If the current time passes a whole slot, a short slot is sorted and becomes due. Otherwise the
//! deadlines of the slot move to lower levels; they do the same when the current time enters the
//! slot. The lowest level has one slot for each nanosecond, so all deadlines of such a slot become
//! due in one step, however many they are. If there is more work than the limit of one call of
//! [`Timers::advance`], the next call continues it.
//!
//! Invariants: each deadline in the wheel is later than `now`; each occupied slot begins after
//! `now`; the lowest occupied level holds the nearest deadlines. Hence a deadline has fired exactly
//! if it is not later than `now`, and no flag has to record it.

use std::task::Waker;

pub(crate) use super::timer_nodes::TimerKey;
use super::timer_nodes::{KEPT_MAX, Node, Nodes};
use crate::order::sort_by_first;

/// Bits of a deadline for each level.
const BITS: u32 = 6;
/// Slots of a level: one for each bit of its word in `occupied_slots`.
const SLOTS: u32 = 1 << BITS;
/// Bits that the lowest level lacks: so the slots of another level are the ticks of the clock.
const LOWEST_LACKS: u32 = 2;
/// Levels for all 64 bits of nanoseconds.
const LEVELS: u32 = (u64::BITS + LOWEST_LACKS) / BITS;
/// Marks the absence of a node: node 0 is a slot's head, which is never free, due or moving.
const NONE: u32 = 0;
/// The most wakers that one call returns. Waking them takes about 50 us.
const FIRED_MAX: usize = 1 << 10;
/// The most deadlines that one call moves down, plus the slots that it passes: about 100 us.
const STEPS_MAX: usize = 1 << 13;
/// The most deadlines of a slot that are sorted. Moving more of them down is faster.
const SORTED_MAX: usize = 1 << 10;

/// The deadlines of a loop and their wakers.
#[derive(Debug)]
pub(crate) struct Timers {
    /// The current time, in nanoseconds.
    now: u64,
    /// The occupied levels, a bit for each.
    occupied: u32,
    /// The occupied slots of each level, a bit for each.
    occupied_slots: [u64; LEVELS as usize],
    /// The heads of the slots, level by level, then the nodes of deadlines.
    pub(super) nodes: Nodes,
    /// The first and the last node, linked by `next`, whose deadline has fired but whose waker has
    /// not been taken.
    due: (u32, u32),
    /// The slot whose deadlines have moved down in part. Then `now` is just before the slot, so
    /// that its new deadlines are appended behind the remaining ones.
    moving: u32,
    /// Work is left to the next call of `advance`, which has a limit: deadlines, or memory to free.
    is_behind: bool,
    /// A buffer for the deadlines of one slot, with their nodes. Empty between calls.
    listed: Vec<(u64, u32)>,
    /// A buffer for those that are listed from the end.
    listed_back: Vec<(u64, u32)>,
}

/// The output of `advance`: the receiver of the wakers, and how many more may be added.
struct Fired<'a, W> {
    wakers: &'a mut W,
    left: usize,
}

/// The place of a deadline by the highest bit in which it differs from the current time: the first
/// slot of its level, and the lowest bit of the group of that level. A table is faster than a
/// division.
static PLACES: [(u16, u8); 64] = places();

const fn places() -> [(u16, u8); 64] {
    let mut places = [(0, 0); 64];
    let mut bit = 0;
    while bit < places.len() {
        let level = (bit as u32 + LOWEST_LACKS) / BITS;
        places[bit] = ((level * SLOTS) as u16, shift(level) as u8);
        bit += 1;
    }
    places
}

impl Timers {
    pub(crate) fn new() -> Timers {
        Timers {
            now: 0,
            occupied: 0,
            occupied_slots: [0; LEVELS as usize],
            nodes: Nodes::new(LEVELS * SLOTS),
            due: (NONE, NONE),
            moving: NONE,
            is_behind: false,
            listed: Vec::new(),
            listed_back: Vec::new(),
        }
    }

    /// Returns whether `advance` has nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.occupied == 0 && !self.is_behind
    }

    /// Returns whether `advance` has left work to its next call.
    pub(crate) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Returns the number of deadlines that have not fired. Scans them.
    pub(crate) fn count(&self) -> usize {
        self.nodes.iter().filter(|node| node.waker.is_some()).count()
    }

    /// Returns whether a deadline has passed. Then its key, if it had one, is no longer valid.
    pub(crate) fn has_fired(&self, deadline: u64) -> bool {
        deadline <= self.now
    }

    /// Adds a deadline that has not passed, in nanoseconds of the loop's clock. Always inlined, as
    /// `remove` is.
    #[inline(always)]
    pub(crate) fn insert(&mut self, deadline: u64, waker: Waker) -> TimerKey {
        debug_assert!(!self.has_fired(deadline));
        let key = self.nodes.first_free();
        let (next, previous) = self.append(key.index(), deadline);
        let node = self.nodes.take(key);
        (node.deadline, node.next, node.previous) = (deadline, next, previous);
        assert!(node.waker.replace(waker).is_none(), "a node that is free has no waker");
        key
    }

    /// Removes a deadline that has not fired. Returns its waker, for the caller to drop after its
    /// borrow. Always inlined: every dropped sleep runs it.
    #[inline(always)]
    pub(crate) fn remove(&mut self, key: TimerKey) -> Option<Waker> {
        let Node { next, previous, .. } = self.nodes[key.index()];
        self.nodes[next].previous = previous;
        self.nodes[previous].next = next;
        let waker = self.nodes.release(key.index());
        // Both neighbours are the head of the slot: the slot is empty.
        if next == previous {
            self.clear(next);
            self.shrink();
        }
        waker
    }

    /// Returns whether a deadline that has not fired will wake the same task as `waker`.
    pub(crate) fn will_wake(&self, key: TimerKey, waker: &Waker) -> bool {
        self.nodes[key.index()].waker.as_ref().is_some_and(|old| old.will_wake(waker))
    }

    /// Replaces the waker of a deadline that has not fired. Returns the old one.
    pub(crate) fn replace_waker(&mut self, key: TimerKey, waker: Waker) -> Option<Waker> {
        self.nodes[key.index()].waker.replace(waker)
    }

    /// Returns when to call `advance`: at the nearest deadline, or earlier if that was removed.
    pub(crate) fn next(&self) -> Option<u64> {
        if self.is_behind {
            return Some(self.now);
        }
        let slot = self.nearest_slot()?;
        Some(self.nodes[slot].deadline)
    }

    /// Moves `now` on. Adds the wakers of the deadlines that have passed to `fired`, which must not
    /// run user code: ordered by deadline, then by insertion. Their number is limited: see
    /// [`Timers::is_behind`].
    pub(crate) fn advance(&mut self, now: u64, fired: &mut impl Extend<Waker>) {
        let mut fired = Fired { wakers: fired, left: FIRED_MAX };
        let is_complete = self.expire_slots(now, &mut fired);
        while self.due.0 != NONE && fired.left > 0 {
            let key = self.due.0;
            self.due.0 = self.nodes[key].next;
            self.fire(key, &mut fired);
        }
        self.is_behind = !is_complete || self.due.0 != NONE;
        self.shrink();
    }

    /// Moves `now` on, and makes the deadlines that have passed due. `false`: the limit was
    /// reached.
    fn expire_slots(&mut self, now: u64, fired: &mut Fired<'_, impl Extend<Waker>>) -> bool {
        let mut steps = STEPS_MAX;
        while let Some(slot) = self.nearest_slot() {
            let start = self.start(slot);
            if start > now {
                break;
            }
            if steps == 0 {
                return false;
            }
            let Node { next: first, previous: last, .. } = self.nodes[slot];
            let nearest = self.nodes[first].deadline;
            let is_unmoved = self.moving == NONE;
            if slot < SLOTS || (is_unmoved && first == last && nearest <= now) {
                self.now = nearest;
                self.clear(slot);
                self.make_due(first, last, fired);
                steps -= 1;
            } else if is_unmoved && start | width(slot) <= now && self.sort(slot) {
                self.now = start | width(slot);
                self.clear(slot);
                steps = steps.saturating_sub(self.make_sorted_due(fired));
            } else {
                self.now = start;
                self.move_down(slot, &mut steps);
            }
        }
        self.now = self.now.max(now);
        true
    }

    /// Returns the slot of a deadline, relative to the current time.
    fn slot(&self, deadline: u64) -> u32 {
        let differing = (deadline ^ self.now) | 1;
        let (first, shift) = PLACES[differing.ilog2() as usize];
        u32::from(first) + (deadline >> shift) as u32 % SLOTS
    }

    /// Returns the slot of the nearest deadlines; if a slot is moving down, that one.
    fn nearest_slot(&self) -> Option<u32> {
        if self.moving != NONE {
            return Some(self.moving);
        }
        if self.occupied == 0 {
            return None;
        }
        let level = self.occupied.trailing_zeros();
        Some(level * SLOTS + self.occupied_slots[level as usize].trailing_zeros())
    }

    /// Returns the first nanosecond of a slot that is not before the current one.
    fn start(&self, slot: u32) -> u64 {
        let shift = shift(slot / SLOTS);
        let above = self.now >> shift & !u64::from(SLOTS - 1);
        (above | u64::from(slot % SLOTS)) << shift
    }

    /// Makes `key` the last node of its slot. Returns its next and its previous node.
    #[inline(always)]
    fn append(&mut self, key: u32, deadline: u64) -> (u32, u32) {
        let slot = self.slot(deadline);
        let ring = &mut self.nodes[slot];
        ring.deadline = ring.deadline.min(deadline);
        let last = std::mem::replace(&mut ring.previous, key);
        if last == slot {
            let level = slot / SLOTS;
            self.occupied |= 1 << level;
            self.occupied_slots[level as usize] |= 1 << (slot % SLOTS);
        }
        self.nodes[last].next = key;
        (slot, last)
    }

    /// Makes a slot an empty list.
    fn clear(&mut self, slot: u32) {
        let ring = &mut self.nodes[slot];
        (ring.deadline, ring.next, ring.previous) = (u64::MAX, slot, slot);
        let level = slot / SLOTS;
        let slots = &mut self.occupied_slots[level as usize];
        *slots &= !(1 << (slot % SLOTS));
        if *slots == 0 {
            self.occupied &= !(1 << level);
        }
    }

    /// Moves the deadlines of a slot that begins now to lower levels, up to `steps` of them.
    fn move_down(&mut self, slot: u32, steps: &mut usize) {
        let rest = self.list(slot, *steps);
        let mut listed = std::mem::take(&mut self.listed);
        *steps = steps.saturating_sub(listed.len());
        for (deadline, key) in listed.drain(..) {
            let (next, previous) = self.append(key, deadline);
            let node = &mut self.nodes[key];
            (node.next, node.previous) = (next, previous);
        }
        self.listed = listed;
        if rest == slot {
            self.moving = NONE;
            self.clear(slot);
        } else {
            self.moving = slot;
            self.nodes[slot].next = rest;
            self.nodes[rest].previous = slot;
            // The rest of the slot must stay later than `now`.
            self.now -= 1;
        }
    }

    /// Fills `listed` with the deadlines of a slot, sorted. Returns `false` if there are too many.
    fn sort(&mut self, slot: u32) -> bool {
        if self.list(slot, SORTED_MAX) != slot {
            self.listed.clear();
            return false;
        }
        sort_by_first(&mut self.listed);
        true
    }

    /// Fills `listed` with deadlines of a slot in the order of insertion: with all if there are
    /// `max` at most, else with the first ones. Returns the first node that is not listed.
    ///
    /// Each node is a cache miss that a walk must wait for. So two walks run at once, from both
    /// ends of the list.
    fn list(&mut self, slot: u32, max: usize) -> u32 {
        let Node { next: mut first, previous: mut last, .. } = self.nodes[slot];
        let mut back = std::mem::take(&mut self.listed_back);
        let mut left = max.div_ceil(2);
        let mut is_complete = first == slot;
        while !is_complete && left > 0 {
            let Node { deadline, next, .. } = self.nodes[first];
            let Node { deadline: last_deadline, previous, .. } = self.nodes[last];
            self.listed.push((deadline, first));
            if first != last {
                back.push((last_deadline, last));
            }
            is_complete = first == last || next == last;
            (first, last) = (next, previous);
            left -= 1;
        }
        if is_complete {
            first = slot;
            self.listed.extend(back.iter().rev());
        }
        back.clear();
        self.listed_back = back;
        first
    }

    /// Makes the nodes in `listed` due. Returns their number.
    fn make_sorted_due(&mut self, fired: &mut Fired<'_, impl Extend<Waker>>) -> usize {
        let mut listed = std::mem::take(&mut self.listed);
        let len = listed.len();
        listed.iter().for_each(|(_, key)| self.make_due(*key, *key, fired));
        listed.clear();
        self.listed = listed;
        len
    }

    /// Fires a single node if no other is due before it; else appends a chain of nodes to the due.
    #[inline(always)]
    fn make_due(&mut self, first: u32, last: u32, fired: &mut Fired<'_, impl Extend<Waker>>) {
        if first == last && self.due.0 == NONE && fired.left > 0 {
            self.fire(first, fired);
        } else {
            self.append_due(first, last);
        }
    }

    fn append_due(&mut self, first: u32, last: u32) {
        self.nodes[last].next = NONE;
        match self.due {
            (NONE, _) => self.due.0 = first,
            (_, before) => self.nodes[before].next = first,
        }
        self.due.1 = last;
    }

    /// Takes the waker of a node that is in no list, and frees the node.
    #[inline]
    fn fire(&mut self, key: u32, fired: &mut Fired<'_, impl Extend<Waker>>) {
        if let Some(waker) = self.nodes.release(key) {
            fired.wakers.extend(Some(waker));
            fired.left -= 1;
        }
    }

    /// Frees the memory of a burst of timers once the wheel is empty.
    fn shrink(&mut self) {
        let is_empty = self.occupied == 0 && self.due.0 == NONE && self.moving == NONE;
        if self.nodes.len() > KEPT_MAX && is_empty {
            self.is_behind = self.nodes.shrink();
            (self.listed, self.listed_back) = (Vec::new(), Vec::new());
        }
    }
}

/// Returns the lowest bit of a level's group.
const fn shift(level: u32) -> u32 {
    (level * BITS).saturating_sub(LOWEST_LACKS)
}

/// Returns the mask of the bits in which the deadlines of a slot may differ.
fn width(slot: u32) -> u64 {
    (1 << shift(slot / SLOTS)) - 1
}

#[cfg(test)]
#[path = "timer_wheel_tests.rs"]
mod tests;
