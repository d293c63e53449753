//! Who runs next, first in first out.
//!
//! Every task of a loop has a slot. The queue is a list threaded through the slots: a slot is
//! queued by naming its successor, so pushing never allocates and a slot is never in the queue
//! twice. Vacant slots are a list of the same kind. Invariant: `next` of a slot is `IDLE` exactly
//! when the slot is in neither list; a slot whose task ends while it is queued is vacant only once
//! it is popped.

use crate::current::{LoopId, SLOT_MAX, WakerId};

/// The slot that belongs to the future of `block_on`. Nobody occupies it.
pub(crate) const ROOT: u32 = 0;

/// `next` of a slot that is in no list.
const IDLE: u32 = u32::MAX;
/// `next` of the last slot in a list, and the head of an empty one.
const END: u32 = u32::MAX - 1;

/// Slots that are made at the least when there are too few. Else an eighth of those that exist, so
/// that a hundred thousand parked tasks do not pay for as many vacant ones.
const MORE_MIN: usize = 64;

/// Slots that are kept after a burst of tasks.
const KEPT_MAX: usize = 1 << 12;

/// The part of the slots that must have become vacant to be worth a look for some to give back, and
/// to be given back: an eighth.
const WORTH: usize = 8;

/// Slots of one loop, who occupies them, and the order in which the woken ones run.
#[derive(Debug)]
pub(crate) struct RunQueue<T> {
    slots: Vec<Slot<T>>,
    head: u32,
    tail: u32,
    len: u32,
    vacant: u32,
    /// Of the slots that will be made: later than those of slots that were given back.
    generation: u16,
    /// Slots retired since the last look for some to give back.
    retired: u32,
}

#[derive(Debug)]
struct Slot<T> {
    task: Option<T>,
    /// The slot after this one in its list, or a mark.
    next: u32,
    /// Raised when the occupant goes: wakers of an earlier one are stale.
    generation: u16,
}

impl<T> RunQueue<T> {
    pub(crate) const fn new() -> RunQueue<T> {
        RunQueue {
            slots: Vec::new(),
            head: END,
            tail: END,
            len: 0,
            vacant: END,
            generation: 0,
            retired: 0,
        }
    }

    /// How many slots are queued.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Gives a slot to `task`, not queued. Says whom its wakers wake; `None` if there are as
    /// many as a waker can tell apart.
    pub(crate) fn insert(&mut self, in_loop: LoopId, task: T) -> Option<WakerId> {
        if self.vacant == END {
            self.vacant = self.add_slot()?;
        }
        let index = self.vacant;
        let slot = &mut self.slots[index as usize];
        self.vacant = slot.next;
        slot.next = IDLE;
        slot.task = Some(task);
        Some(WakerId::new(in_loop, slot.generation, index))
    }

    /// Opens the root's slot, and queues it.
    pub(crate) fn insert_root(&mut self, in_loop: LoopId) -> WakerId {
        if self.slots.is_empty() {
            self.slots.push(Slot { task: None, next: IDLE, generation: 0 });
        }
        // A root before this one may have left it queued.
        if self.slots[ROOT as usize].next == IDLE {
            self.link(ROOT);
        }
        WakerId::new(in_loop, self.slots[ROOT as usize].generation, ROOT)
    }

    /// Makes a slot that is the only vacant one.
    #[cold]
    fn add_slot(&mut self) -> Option<u32> {
        let len = self.slots.len().max(1);
        let index = u32::try_from(len).ok().filter(|index| *index <= SLOT_MAX)?;
        if len >= self.slots.capacity() {
            self.slots.reserve_exact(MORE_MIN.max(len / 8));
        }
        let generation = self.generation;
        self.slots.resize_with(len + 1, || Slot { task: None, next: IDLE, generation });
        self.slots[len].next = END;
        Some(index)
    }

    /// Ends the slot's generation. Its occupant comes back.
    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.retired = self.retired.wrapping_add(1);
        let task = slot.task.take();
        if slot.next == IDLE && index != ROOT {
            slot.next = self.vacant;
            self.vacant = index;
        }
        task
    }

    /// Gives the memory of a burst back, after it. Cheap enough to be called before each wait: the
    /// look at all slots is paid for by the tasks that have ended since the last one.
    #[inline]
    pub(crate) fn give_back(&mut self) {
        let is_due = self.slots.len() > KEPT_MAX
            && self.retired as usize >= self.slots.len() / WORTH
            && self.len == 0;
        if is_due && self.slots.last().is_some_and(|last| last.task.is_none()) {
            self.shrink();
        }
    }

    /// Gives back the slots behind the last that is occupied. None is queued.
    #[cold]
    fn shrink(&mut self) {
        self.retired = 0;
        let last = self.slots.iter().rposition(|slot| slot.task.is_some());
        let kept = last.map_or(0, |last| last + 1).max(KEPT_MAX);
        if self.slots.len() - kept < self.slots.len() / WORTH {
            return;
        }
        let generations = self.slots.drain(kept..).map(|slot| slot.generation.wrapping_add(1));
        self.generation = generations.fold(self.generation, u16::max);
        self.slots.shrink_to_fit();
        self.vacant = END;
        for (index, slot) in self.slots.iter_mut().enumerate().skip(1).rev() {
            if slot.task.is_none() {
                slot.next = self.vacant;
                self.vacant = index as u32;
            }
        }
    }

    /// Queues the slot that `id` names, if its occupant is still there and it is not queued.
    #[inline]
    pub(crate) fn push(&mut self, id: WakerId) {
        let index = id.slot();
        let Some(slot) = self.slots.get(index as usize) else { return };
        if slot.next == IDLE && id.is_generation(slot.generation) {
            self.link(index);
        }
    }

    /// Puts a slot that is in no list at the end.
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

    /// Takes the slot that waited longest. No task is in the root's.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(u32, Option<T>)>
    where
        T: Clone,
    {
        loop {
            let index = self.head;
            let slot = self.slots.get_mut(index as usize)?;
            self.head = slot.next;
            self.len -= 1;
            if slot.task.is_some() || index == ROOT {
                slot.next = IDLE;
                return Some((index, slot.task.clone()));
            }
            slot.next = self.vacant;
            self.vacant = index;
        }
    }

    /// The slot that [`pop`](RunQueue::pop) would take.
    pub(crate) fn first(&self) -> Option<u32> {
        let mut index = self.head;
        loop {
            let slot = self.slots.get(index as usize)?;
            if slot.task.is_some() || index == ROOT {
                return Some(index);
            }
            index = slot.next;
        }
    }

    /// The slot that was queued last.
    pub(crate) fn last(&self) -> Option<u32> {
        (self.head != END).then_some(self.tail)
    }

    /// Whether `slot` is queued.
    pub(crate) fn is_queued(&self, slot: u32) -> bool {
        self.slots.get(slot as usize).is_some_and(|slot| slot.next != IDLE)
    }

    /// Who is in `slot`.
    pub(crate) fn task(&self, slot: u32) -> Option<&T> {
        self.slots.get(slot as usize)?.task.as_ref()
    }

    /// Who is in any slot.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.task.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut RunQueue<u8>) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop()).map(|(slot, _)| slot).collect()
    }

    fn queue_of(tasks: u8) -> (RunQueue<u8>, Vec<WakerId>) {
        let mut queue = RunQueue::new();
        let ids = (0..tasks).map(|task| queue.insert(1, task).unwrap()).collect();
        (queue, ids)
    }

    #[test]
    fn first_in_first_out_and_once() {
        let (mut queue, ids) = queue_of(4);
        for i in [2, 0, 2, 3, 0] {
            queue.push(ids[i]);
        }
        assert_eq!(queue.len(), 3);
        assert_eq!(queue.pop(), Some((3, Some(2))));
        assert_eq!(drain(&mut queue), [1, 4]);
        assert_eq!(queue.len(), 0);
        queue.push(ids[1]);
        assert_eq!(drain(&mut queue), [2]);
    }

    #[test]
    fn a_stale_wake_is_nothing() {
        let (mut queue, ids) = queue_of(1);
        assert_eq!(queue.remove(1), Some(0));
        queue.push(ids[0]);
        assert_eq!(queue.pop(), None);
        let new = queue.insert(1, 7).unwrap();
        assert_eq!(new.slot(), 1, "it is used again");
        queue.push(ids[0]);
        assert_eq!(queue.pop(), None);
        queue.push(new);
        assert_eq!(queue.pop(), Some((1, Some(7))));
        queue.push(WakerId::new(1, 0, 99));
        assert_eq!(queue.pop(), None, "a slot that never was");
    }

    #[test]
    fn a_slot_that_is_queued_is_not_given_away() {
        let (mut queue, ids) = queue_of(2);
        queue.push(ids[0]);
        queue.push(ids[1]);
        assert_eq!(queue.remove(1), Some(0));
        assert_eq!(queue.insert(1, 9).unwrap().slot(), 3);
        assert_eq!(drain(&mut queue), [2]);
        assert_eq!(queue.insert(1, 9).unwrap().slot(), 1);
    }

    #[test]
    fn a_generation_that_has_come_round_cuts_no_list() {
        let (mut queue, ids) = queue_of(2);
        for _ in 0..u16::MAX {
            queue.remove(1);
            assert_eq!(queue.insert(1, 0).unwrap().slot(), 1);
        }
        queue.remove(1);
        queue.push(ids[0]);
        queue.push(ids[1]);
        assert_eq!(drain(&mut queue), [2], "it is vacant");
        assert_eq!(queue.insert(1, 0).unwrap(), ids[0]);
    }

    #[test]
    fn a_burst_gives_its_slots_back() {
        let (mut queue, kept) = queue_of(3);
        let burst: Vec<_> = (0..100_000).map(|_| queue.insert(1, 9).unwrap()).collect();
        queue.remove(kept[1].slot());
        let (stays, ends) = burst.split_at(1000);
        for id in ends {
            queue.remove(id.slot());
            queue.give_back();
        }
        assert!(queue.slots.capacity() <= KEPT_MAX);
        // The vacant ones are given out, lowest first, and the wakers of the burst are stale.
        assert_eq!(queue.insert(1, 7).unwrap().slot(), kept[1].slot());
        let again: Vec<_> = ends.iter().map(|_| queue.insert(1, 8).unwrap()).collect();
        assert!(again.iter().map(|id| id.slot()).eq(ends.iter().map(|id| id.slot())));
        ends.iter().for_each(|id| queue.push(*id));
        assert_eq!(queue.len(), 0);
        let all: Vec<_> = stays.iter().chain(&again).map(|id| id.slot()).collect();
        stays.iter().chain(&again).for_each(|id| queue.push(*id));
        assert_eq!(drain(&mut queue), all);
    }

    #[test]
    fn slots_that_are_in_use_are_not_given_back() {
        let (mut queue, _) = queue_of(3);
        let burst: Vec<_> = (0..100_000).map(|_| queue.insert(1, 9).unwrap()).collect();
        let (last, others) = burst.split_last().unwrap();
        queue.push(others[1]);
        others.iter().for_each(|id| _ = queue.remove(id.slot()));
        queue.give_back();
        assert_eq!(queue.pop(), None, "one was queued as it was retired");
        queue.give_back();
        queue.push(*last);
        assert_eq!(queue.pop(), Some((last.slot(), Some(9))));
        assert!(queue.slots.len() > 100_000);
        queue.push(*last);
        queue.remove(last.slot());
        queue.give_back();
        assert!(queue.slots.len() > 100_000, "it is queued");
        assert_eq!(queue.pop(), None);
        queue.give_back();
        assert_eq!(queue.slots.len(), KEPT_MAX);
    }

    #[test]
    fn the_root_is_nobody() {
        let (mut queue, _) = queue_of(1);
        let root = queue.insert_root(1);
        queue.insert_root(1);
        assert_eq!(queue.pop(), Some((ROOT, None)));
        queue.push(root);
        assert_eq!(queue.remove(ROOT), None);
        queue.insert_root(1);
        assert_eq!(drain(&mut queue), [ROOT]);
        queue.push(root);
        assert_eq!(queue.pop(), None);
        assert_eq!(queue.tasks().collect::<Vec<_>>(), [&0]);
    }
}
