//! The task that a waker wakes, packed into one machine word.
//!
//! The word holds the loop, the slot of its run queue, and the generation of that slot. A waker
//! consists of this word alone: it has no reference count and no pointer. Invariant: no word is
//! zero, since loop ids begin at 1.

/// The bits of a word for the generation and for the loop; the slot has the rest. With 64 bits:
/// 65,535 loops of 4 billion tasks each. With 32 bits: 255 loops of 262,144 tasks, and a generation
/// that wraps after 64 tasks in one slot. A stale waker then causes a spurious poll, nothing else.
const GENERATION_BITS: u32 = if usize::BITS >= 64 { 16 } else { 6 };
const LOOP_BITS: u32 = if usize::BITS >= 64 { 16 } else { 8 };
const SLOT_BITS: u32 = usize::BITS - GENERATION_BITS - LOOP_BITS;

/// The number of a loop in the process. 0 is no loop.
pub(crate) type LoopId = u32;

/// The highest loop id that fits.
pub(crate) const LOOPS_MAX: LoopId = (1 << LOOP_BITS) - 1;

/// The highest slot that fits, without the two values that the run queue uses as marks.
pub(crate) const SLOT_MAX: u32 = ((1u64 << SLOT_BITS) - 3) as u32;

/// Names a task in its wakers: its loop, its slot, and the generation of the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WakerId(usize);

impl WakerId {
    /// Names no task.
    pub(crate) const NONE: WakerId = WakerId(0);

    #[inline]
    pub(crate) fn new(in_loop: LoopId, generation: u16, slot: u32) -> WakerId {
        let generation = usize::from(generation) & ((1 << GENERATION_BITS) - 1);
        let high = (in_loop as usize) << GENERATION_BITS | generation;
        WakerId(high << SLOT_BITS | slot as usize)
    }

    pub(crate) fn from_word(word: usize) -> WakerId {
        WakerId(word)
    }

    pub(crate) fn word(self) -> usize {
        self.0
    }

    pub(crate) fn in_loop(self) -> LoopId {
        (self.0 >> (SLOT_BITS + GENERATION_BITS)) as LoopId
    }

    pub(crate) fn slot(self) -> u32 {
        (self.0 & ((1 << SLOT_BITS) - 1)) as u32
    }

    /// Returns whether the word holds this generation, as far as its bits can represent it.
    pub(crate) fn is_generation(self, generation: u16) -> bool {
        (self.0 >> SLOT_BITS ^ usize::from(generation)) & ((1 << GENERATION_BITS) - 1) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_word_can_be_read_back() {
        let id = WakerId::new(LOOPS_MAX, 3, SLOT_MAX);
        assert_eq!((id.in_loop(), id.slot()), (LOOPS_MAX, SLOT_MAX));
        assert!(id.is_generation(3));
        assert!(!id.is_generation(4));
        assert_eq!(WakerId::from_word(id.word()), id);
    }

    #[test]
    fn neighbouring_ids_differ() {
        let id = WakerId::new(1, 0, 0);
        assert_ne!(id.word(), 0);
        assert_ne!(id, WakerId::new(2, 0, 0));
        assert_ne!(id, WakerId::new(1, 1, 0));
        assert_ne!(id, WakerId::new(1, 0, 1));
    }
}
