//! L0: who runs next, first in first out.
//!
//! The queue is a list threaded through the slots: a slot is queued by naming its successor, so
//! pushing never allocates and a slot is never in the queue twice. Invariant: `next` of a slot is
//! `IDLE` exactly when the slot is not in the list.

use crate::waker_id::{LoopId, WakerId};

/// The slot that belongs to the future of `block_on`.
pub(crate) const ROOT: u32 = 0;

/// `next` of a slot that is not queued.
const IDLE: u32 = u32::MAX;
/// `next` of the last slot in the queue, and `head` of an empty one.
const END: u32 = u32::MAX - 1;

/// How many places to add to `len` that are full: an eighth, so that a hundred thousand parked
/// tasks do not pay for as many empty places.
pub(crate) fn more(len: usize) -> usize {
    const MIN: usize = 64;
    MIN.max(len / 8)
}

/// Slots of one loop, and the order in which the woken ones run.
#[derive(Debug)]
pub(crate) struct RunQueue {
    slots: Vec<Slot>,
    head: u32,
    tail: u32,
    len: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The slot queued after this one, or a mark.
    next: u32,
    /// Raised when the task in the slot ends: wakers of an earlier one are stale.
    generation: u16,
}

impl RunQueue {
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Makes room for `slot`, and says whom its next wakers wake.
    fn open(&mut self, in_loop: LoopId, slot: u32) -> WakerId {
        let index = slot as usize;
        if index >= self.slots.len() {
            if index >= self.slots.capacity() {
                self.slots.reserve_exact(index + more(index) - self.slots.len());
            }
            self.slots.resize(index + 1, Slot { next: IDLE, generation: 0 });
        }
        WakerId::new(in_loop, self.slots[index].generation, slot)
    }

    /// Opens a slot for a new task or root, and queues it.
    #[inline]
    pub(crate) fn admit(&mut self, in_loop: LoopId, slot: u32) -> WakerId {
        let id = self.open(in_loop, slot);
        // A stale waker whose generation has come round may have queued the empty slot.
        if self.slots[slot as usize].next == IDLE {
            self.link(slot);
        }
        id
    }

    /// Ends the slot's generation. Returns whether the slot is still queued; then it must not be
    /// given to another task before it is popped.
    pub(crate) fn retire(&mut self, slot: u32) -> bool {
        let slot = &mut self.slots[slot as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.next != IDLE
    }

    /// Queues the task that `id` names, if it is still there and not queued.
    pub(crate) fn push(&mut self, id: WakerId) {
        let index = id.slot();
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        if slot.next != IDLE || !id.is_generation(slot.generation) {
            return;
        }
        self.link(index);
    }

    /// Puts a slot that is not queued at the end.
    #[inline]
    fn link(&mut self, index: u32) {
        self.slots[index as usize].next = END;
        if self.head == END {
            self.head = index;
        } else {
            self.slots[self.tail as usize].next = index;
        }
        self.tail = index;
        self.len += 1;
    }

    /// Takes the slot that waited longest.
    pub(crate) fn pop(&mut self) -> Option<u32> {
        let index = self.head;
        let slot = self.slots.get_mut(index as usize)?;
        self.head = slot.next;
        slot.next = IDLE;
        self.len -= 1;
        Some(index)
    }

    /// Whether `slot` is queued.
    pub(crate) fn is_queued(&self, slot: u32) -> bool {
        self.slots.get(slot as usize).is_some_and(|slot| slot.next != IDLE)
    }
}

impl Default for RunQueue {
    fn default() -> RunQueue {
        RunQueue { slots: Vec::new(), head: END, tail: END, len: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut RunQueue) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn first_in_first_out_and_once() {
        let mut queue = RunQueue::default();
        let ids: Vec<_> = (0..4).map(|slot| queue.open(1, slot)).collect();
        for i in [2, 0, 2, 3, 0] {
            queue.push(ids[i]);
        }
        assert_eq!(queue.len(), 3);
        assert_eq!(drain(&mut queue), [2, 0, 3]);
        assert_eq!(queue.len(), 0);
        queue.push(ids[1]);
        assert_eq!(drain(&mut queue), [1]);
    }

    #[test]
    fn a_generation_that_has_come_round_cuts_no_queue() {
        let mut queue = RunQueue::default();
        let (old, other) = (queue.open(1, 0), queue.open(1, 1));
        for _ in 0..=u16::MAX {
            assert!(!queue.retire(0));
        }
        queue.push(old);
        queue.push(other);
        queue.admit(1, 0);
        assert_eq!(queue.len(), 2);
        assert_eq!(drain(&mut queue), [0, 1]);
    }

    #[test]
    fn a_stale_wake_is_nothing() {
        let mut queue = RunQueue::default();
        let old = queue.open(1, 0);
        assert!(!queue.retire(0));
        queue.push(old);
        assert_eq!(queue.pop(), None);
        let new = queue.open(1, 0);
        queue.push(new);
        assert!(queue.retire(0), "it is still queued");
        assert_eq!(queue.pop(), Some(0));
        queue.push(WakerId::new(1, 0, 99));
        assert_eq!(queue.pop(), None, "a slot that never was");
    }
}
