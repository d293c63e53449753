//! The ready tasks of a loop, first in first out.
//!
//! Every task of a loop has a slot. The queue is a linked list of slots: each queued slot stores
//! the index of the next one. So pushing never allocates, and a slot is never queued twice. The
//! vacant slots form a second list of the same kind. Invariant: `next` of a slot is `IDLE` exactly
//! when the slot is in neither list. A slot whose task ends while it is queued becomes vacant only
//! when it is popped.

use std::mem;
use std::ops::Range;

use crate::current::{LoopId, SLOT_MAX, WakerId};

/// The slot of the root, the future of `block_on`. It holds no task.
pub(crate) const ROOT: u32 = 0;

/// `next` of a slot that is in no list.
const IDLE: u32 = u32::MAX;
/// `next` of the last slot in a list, and the head of an empty one.
const END: u32 = u32::MAX - 1;

/// Slots are added up to a multiple of this number. The memory grows by a sixteenth if that is
/// more; not by doubling, so that a hundred thousand waiting tasks do not cost as many vacant
/// slots.
const ADDED: usize = 64;

/// The number of slots that are kept after a burst of tasks.
const KEPT_MAX: usize = 1 << 12;

/// An eighth of the slots: the vector is scanned after so many tasks have ended, and it is shrunk
/// if so many slots can be freed.
const SHRINK_PART: usize = 8;

/// The slots of one loop, their tasks, and the order in which the woken tasks run.
#[derive(Debug)]
pub(crate) struct RunQueue<T> {
    slots: Vec<Slot<T>>,
    head: u32,
    tail: u32,
    len: u32,
    vacant: u32,
    /// The generation of new slots. Later than those of freed slots, so their wakers stay stale.
    generation: u16,
    /// The number of tasks removed since the last scan for slots to free.
    removed: u32,
}

#[derive(Debug)]
struct Slot<T> {
    task: Option<T>,
    /// The next slot in the list, or `IDLE` or `END`.
    next: u32,
    /// Incremented when the task is removed: wakers of an earlier generation are stale.
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
            removed: 0,
        }
    }

    /// Returns the number of queued slots.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Inserts `task` into a vacant slot, and queues it if it `is_ready`. Returns the id for its
    /// wakers; `None` if no further slot fits into a [`WakerId`].
    #[inline]
    pub(crate) fn insert(&mut self, in_loop: LoopId, task: T, is_ready: bool) -> Option<WakerId> {
        if self.vacant == END {
            self.vacant = self.add_slots()?;
        }
        let index = self.vacant;
        let slot = &mut self.slots[index as usize];
        self.vacant = slot.next;
        slot.next = if is_ready { END } else { IDLE };
        // A vacant slot holds no task: there is nothing to drop.
        mem::forget(slot.task.replace(task));
        let id = WakerId::new(in_loop, slot.generation, index);
        if is_ready {
            self.append(index);
        }
        Some(id)
    }

    /// Makes the root's slot if needed, and queues it.
    pub(crate) fn insert_root(&mut self, in_loop: LoopId) -> WakerId {
        if self.slots.is_empty() {
            self.slots.push(Slot { task: None, next: IDLE, generation: 0 });
        }
        // A wake of an earlier root may have left the slot queued.
        if self.slots[ROOT as usize].next == IDLE {
            self.link(ROOT);
        }
        WakerId::new(in_loop, self.slots[ROOT as usize].generation, ROOT)
    }

    /// Adds slots, which become the only vacant ones. Returns the first one.
    #[cold]
    fn add_slots(&mut self) -> Option<u32> {
        let len = self.slots.len();
        let first = len.max(1);
        let end = (first + 1).next_multiple_of(ADDED).min(SLOT_MAX as usize + 1);
        if first >= end {
            return None;
        }
        if end > self.slots.capacity() {
            self.slots.reserve_exact((end - len).max(len / 16));
        }
        let generation = self.generation;
        if len == 0 {
            // The root's slot is in no list.
            self.slots.push(Slot { task: None, next: IDLE, generation });
        }
        let nexts = first as u32 + 1..=end as u32;
        self.slots.extend(nexts.map(|next| Slot { task: None, next, generation }));
        self.slots[end - 1].next = END;
        Some(first as u32)
    }

    /// Removes the task of a slot, and makes its wakers stale. Returns the task.
    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.removed = self.removed.wrapping_add(1);
        let task = slot.task.take();
        // A queued slot is part of the queue's list: `pop` makes it vacant.
        if slot.next == IDLE && index != ROOT {
            slot.next = self.vacant;
            self.vacant = index;
        }
        task
    }

    /// Frees the memory of a burst of tasks after the burst. Cheap enough to be called before each
    /// wait: the cost of a scan is amortized over the tasks that ended since the last one.
    #[inline]
    pub(crate) fn shrink(&mut self) {
        let is_due = self.slots.len() > KEPT_MAX
            && self.removed as usize >= self.slots.len() / SHRINK_PART
            && self.len == 0;
        // The last slots may never have had a task.
        if is_due && self.slots.iter().rev().take(ADDED).all(|slot| slot.task.is_none()) {
            self.shrink_now();
        }
    }

    /// Frees the slots behind the last one that holds a task. No slot may be queued.
    #[cold]
    fn shrink_now(&mut self) {
        self.removed = 0;
        let last = self.slots.iter().rposition(|slot| slot.task.is_some());
        let kept = last.map_or(0, |last| last + 1).max(KEPT_MAX);
        if self.slots.len() - kept < self.slots.len() / SHRINK_PART {
            return;
        }
        for slot in &self.slots[kept..] {
            self.generation = self.generation.max(slot.generation.wrapping_add(1));
        }
        self.slots.truncate(kept);
        self.slots.shrink_to_fit();
        self.vacant = END;
        for index in (1..self.slots()).rev() {
            let slot = &mut self.slots[index as usize];
            if slot.task.is_none() {
                slot.next = self.vacant;
                self.vacant = index;
            }
        }
    }

    /// Queues the slot that `id` names, unless its task has ended or it is queued already.
    #[inline]
    pub(crate) fn push(&mut self, id: WakerId) {
        let index = id.slot();
        let Some(slot) = self.slots.get(index as usize) else { return };
        if slot.next == IDLE && id.is_generation(slot.generation) {
            self.link(index);
        }
    }

    /// Appends a slot that is in no list to the queue.
    #[inline]
    fn link(&mut self, index: u32) {
        self.slots[index as usize].next = END;
        self.append(index);
    }

    /// Appends a slot whose `next` is `END` to the queue.
    #[inline]
    fn append(&mut self, index: u32) {
        if self.head == END {
            self.head = index;
        } else if let Some(last) = self.slots.get_mut(self.tail as usize) {
            // Always there. Without a panic, a wake saves no register.
            last.next = index;
        }
        self.tail = index;
        self.len += 1;
    }

    /// Takes the longest-waiting slot. The root's slot holds no task.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(u32, Option<T>)>
    where
        T: Clone,
    {
        loop {
            let index = self.head;
            let slot = self.slots.get_mut(index as usize)?;
            self.head = mem::replace(&mut slot.next, IDLE);
            self.len -= 1;
            if let Some(task) = &slot.task {
                return Some((index, Some(task.clone())));
            }
            if index == ROOT {
                return Some((index, None));
            }
            slot.next = self.vacant;
            self.vacant = index;
        }
    }

    /// Moves the slot that is `place` places behind the first one to the front. If `keeps_order` is
    /// true of its task, moves the first slot of which that is true.
    #[cfg(feature = "sim")]
    pub(crate) fn bring_forward(&mut self, place: u32, keeps_order: impl Fn(&T) -> bool) {
        let is_ordered = |slot: &Slot<T>| slot.task.as_ref().is_some_and(&keeps_order);
        let (mut before, mut index, mut first_ordered) = (END, self.head, None);
        for _ in 0..place {
            let slot = &self.slots[index as usize];
            if first_ordered.is_none() && is_ordered(slot) {
                first_ordered = Some((before, index));
            }
            (before, index) = (index, slot.next);
        }
        if let Some(first) = first_ordered.filter(|_| is_ordered(&self.slots[index as usize])) {
            (before, index) = first;
        }
        if before == END {
            return;
        }
        let next = mem::replace(&mut self.slots[index as usize].next, self.head);
        self.slots[before as usize].next = next;
        if next == END {
            self.tail = before;
        }
        self.head = index;
    }

    /// Returns the slot that [`pop`](RunQueue::pop) would take.
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

    /// Returns the slot that was queued last.
    pub(crate) fn last(&self) -> Option<u32> {
        (self.head != END).then_some(self.tail)
    }

    /// Returns whether `slot` is queued.
    pub(crate) fn is_queued(&self, slot: u32) -> bool {
        self.slots.get(slot as usize).is_some_and(|slot| slot.next != IDLE)
    }

    /// Returns the task in `slot`.
    pub(crate) fn task(&self, slot: u32) -> Option<&T> {
        self.slots.get(slot as usize)?.task.as_ref()
    }

    /// Returns the first task in `slot` or a later slot, and its slot.
    pub(crate) fn task_from(&self, slot: u32) -> Option<(u32, &T)> {
        for slot in slot..self.slots() {
            if let Some(task) = self.task(slot) {
                return Some((slot, task));
            }
        }
        None
    }

    /// Returns the number of slots.
    pub(crate) fn slots(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Returns the tasks in a range of slots, in their order.
    pub(crate) fn tasks_in(&self, slots: Range<u32>) -> impl Iterator<Item = &T> {
        let end = slots.end.min(self.slots()) as usize;
        let begin = end.min(slots.start as usize);
        self.slots[begin..end].iter().filter_map(|slot| slot.task.as_ref())
    }

    /// Returns all tasks, in the order of their slots.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = &T> {
        self.tasks_in(0..self.slots())
    }
}

#[cfg(test)]
#[path = "run_queue_tests.rs"]
mod tests;
