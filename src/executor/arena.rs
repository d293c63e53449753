//! The memory of small tasks: blocks of the same size lie together in chunks.
//!
//! For each task of a batch of 100,000, the general allocator needs 320 instructions more, and it
//! stores its own words beside each block. Here a chunk holds up to 64 blocks, and a bit for each
//! of them says whether it is vacant:
//!
//! ```text
//!   partial[11]: the chunks with vacant blocks of 11 words
//!     |
//!     v
//!   Chunk: vacant 0b0110, next ---> Chunk: vacant 0b1000, next: NONE
//!          memory                          memory
//!            |
//!            v
//!          | task | vacant | vacant | task |
//! ```
//!
//! Each thread has an arena for all of its loops, since a handle may outlive its loop. It has no
//! destructor, since a handle may be dropped while the thread ends: once no loop is left, an unused
//! chunk is freed early.
//!
//! Invariant: a block that `take` returned is returned by no other call until `release`, and its
//! chunk stays until then. The arena itself never accesses the memory of a block.

use std::cell::RefCell;
use std::mem::{self, ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;

/// The unit of sizes, and the alignment of all blocks.
pub(super) type Word = u64;

/// Larger blocks come from the general allocator: 1 KiB.
pub(super) const WORDS_MAX: usize = 128;

/// The size limit of a chunk: 16 KiB. Above 32 words a chunk has fewer than 64 blocks.
const CHUNK_WORDS_MAX: usize = 2048;

/// The number of unused chunks that are kept while there is a loop.
const KEPT_MAX: usize = 16;

/// Unused chunks are freed when they are more than an eighth of all. Freeing looks at each chunk:
/// so its cost is amortized.
const UNUSED_PART: usize = 8;

/// The number of chunks that one call frees while there is a loop: about 1 ms. The next call frees
/// more: see [`is_behind`].
const FREED_MAX: usize = 1 << 10;

/// The least number of entries by which the table of chunks grows. It grows by an eighth if that is
/// more: doubling could leave half of a large table vacant.
const GROWTH_MIN: usize = 16;

/// The end of a list of chunks.
const NONE: u32 = u32::MAX;

/// The place of a block: its chunk, and in the low bits its index there.
pub(super) type Place = u32;
const INDEX_BITS: u32 = 6;

struct Arena {
    /// An entry stays at its index, since tasks store it. Entries of class 0 are vacant.
    chunks: Vec<Chunk>,
    /// For each number of words, the first chunk with a vacant block. Class 0: the vacant entries.
    partial: [u32; WORDS_MAX + 1],
    /// The number of chunks that have memory.
    count: usize,
    /// The number of chunks all of whose blocks are vacant.
    unused: usize,
    /// The number of loops on this thread.
    loops: usize,
    /// The last call of `shrink` reached its limit.
    is_behind: bool,
}

struct Chunk {
    /// Its length is 0: only the tasks access the memory.
    memory: Vec<MaybeUninit<Word>>,
    /// A bit for each vacant block.
    vacant: u64,
    /// The number of words of a block.
    class: u32,
    /// The next chunk of the class with a vacant block.
    next: u32,
}

thread_local! {
    static ARENA: ManuallyDrop<RefCell<Arena>> =
        const { ManuallyDrop::new(RefCell::new(Arena::new())) };
}

/// Takes a vacant block.
#[inline]
pub(super) fn take(words: usize) -> (NonNull<Word>, Place) {
    ARENA.with(|arena| arena.borrow_mut().take(words))
}

/// Makes a block vacant. It must have been taken with this number of words. Out of line, since each
/// type of task calls it.
#[inline(never)]
pub(super) fn release(place: Place, words: usize) {
    ARENA.with(|arena| arena.borrow_mut().release(place, words));
}

/// Counts a new loop of this thread.
pub(super) fn add_loop() {
    ARENA.with(|arena| arena.borrow_mut().loops += 1);
}

/// Removes a loop from the count.
pub(super) fn remove_loop() {
    ARENA.with(|arena| {
        let mut arena = arena.borrow_mut();
        arena.loops -= 1;
        arena.shrink();
    });
}

/// Frees the chunks of a burst of tasks after the burst. Cheap enough to be called before each
/// wait.
pub(super) fn shrink() {
    ARENA.with(|arena| arena.borrow_mut().shrink());
}

/// Returns whether `shrink` has left memory to its next call. Then a loop must not wait: it could
/// keep the memory forever.
pub(super) fn is_behind() -> bool {
    ARENA.with(|arena| arena.borrow().is_behind)
}

/// Returns the bits of a chunk that is unused.
const fn all(words: usize) -> u64 {
    let blocks = CHUNK_WORDS_MAX / words;
    if blocks < 64 { (1 << blocks) - 1 } else { u64::MAX }
}

impl Arena {
    const fn new() -> Arena {
        Arena {
            chunks: Vec::new(),
            partial: [NONE; WORDS_MAX + 1],
            count: 0,
            unused: 0,
            loops: 0,
            is_behind: false,
        }
    }

    #[inline]
    fn take(&mut self, words: usize) -> (NonNull<Word>, Place) {
        if self.partial[words] == NONE {
            self.grow(words);
        }
        let key = self.partial[words];
        let chunk = &mut self.chunks[key as usize];
        if chunk.vacant == all(words) {
            self.unused -= 1;
        }
        let index = chunk.vacant.trailing_zeros();
        // Clears the lowest bit.
        chunk.vacant &= chunk.vacant - 1;
        if chunk.vacant == 0 {
            self.partial[words] = chunk.next;
        }
        let block = chunk.memory.as_mut_ptr().wrapping_add(index as usize * words);
        let block = NonNull::new(block.cast()).expect("the memory of a chunk is not null");
        (block, key << INDEX_BITS | index)
    }

    #[inline]
    fn release(&mut self, place: Place, words: usize) {
        let key = place >> INDEX_BITS;
        let chunk = &mut self.chunks[key as usize];
        if chunk.vacant == 0 {
            chunk.next = self.partial[words];
            self.partial[words] = key;
        }
        chunk.vacant |= 1 << (place & ((1 << INDEX_BITS) - 1));
        if chunk.vacant == all(words) {
            self.unused += 1;
            if self.loops == 0 {
                self.shrink();
            }
        }
    }

    /// Adds a chunk, which becomes the only one with vacant blocks of this class.
    #[cold]
    fn grow(&mut self, words: usize) {
        let vacant = all(words);
        let memory = Vec::with_capacity(vacant.count_ones() as usize * words);
        let chunk = Chunk { memory, vacant, class: words as u32, next: NONE };
        let mut key = self.partial[0];
        if key == NONE {
            key = self.chunks.len() as u32;
            assert!(key <= NONE >> INDEX_BITS, "too much memory of tasks");
            if self.chunks.len() == self.chunks.capacity() {
                self.chunks.reserve_exact(GROWTH_MIN.max(self.chunks.len() / 8));
            }
            self.chunks.push(chunk);
        } else {
            self.partial[0] = self.chunks[key as usize].next;
            self.chunks[key as usize] = chunk;
        }
        self.partial[words] = key;
        self.count += 1;
        self.unused += 1;
    }

    #[inline]
    fn shrink(&mut self) {
        if self.has_too_many() {
            self.free_unused();
        }
        self.is_behind = self.has_too_many();
    }

    /// Returns whether too many chunks are unused.
    #[inline]
    fn has_too_many(&self) -> bool {
        let kept = if self.loops == 0 { 0 } else { KEPT_MAX };
        self.unused > kept.max(self.count / UNUSED_PART)
    }

    #[cold]
    fn free_unused(&mut self) {
        let mut left = if self.loops == 0 { usize::MAX } else { FREED_MAX };
        for chunk in self.chunks.iter_mut().rev() {
            if chunk.class > 0 && chunk.vacant == all(chunk.class as usize) && left > 0 {
                *chunk = Chunk { memory: Vec::new(), vacant: 1, class: 0, next: NONE };
                left -= 1;
                self.count -= 1;
                self.unused -= 1;
            }
        }
        let last = self.chunks.iter().rposition(|chunk| chunk.class > 0);
        self.chunks.truncate(last.map_or(0, |last| last + 1));
        self.chunks.shrink_to_fit();
        self.partial = [NONE; WORDS_MAX + 1];
        // The lists begin with the lowest chunks, so that the last ones become unused.
        for (key, chunk) in self.chunks.iter_mut().enumerate().rev() {
            if chunk.vacant != 0 {
                let first = &mut self.partial[chunk.class as usize];
                chunk.next = mem::replace(first, key as u32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const LARGE: usize = WORDS_MAX;

    /// Returns the arena of a thread with a loop.
    fn arena() -> Arena {
        Arena { loops: 1, ..Arena::new() }
    }

    fn take_many(arena: &mut Arena, words: usize, count: usize) -> Vec<Place> {
        (0..count).map(|_| arena.take(words).1).collect()
    }

    #[test]
    fn blocks_do_not_overlap() {
        let mut arena = arena();
        let mut bytes = BTreeSet::new();
        for words in [1, 11, 33, LARGE, 11] {
            for _ in 0..200 {
                let start = arena.take(words).0.addr().get();
                assert_eq!(start % align_of::<Word>(), 0);
                let ends = [start, start + words * size_of::<Word>() - 1];
                assert_eq!(bytes.range(ends[0]..=ends[1]).next(), None);
                bytes.extend(ends);
            }
        }
    }

    #[test]
    fn a_released_block_is_taken_next() {
        let mut arena = arena();
        let places = take_many(&mut arena, 11, 200);
        for place in [places[70], places[3], places[199]] {
            arena.release(place, 11);
            assert_eq!(arena.take(11).1, place);
        }
        assert_eq!(arena.count, 4);
    }

    #[test]
    fn the_chunks_of_a_burst_are_freed() {
        let mut arena = arena();
        let kept = take_many(&mut arena, 5, 1);
        let burst = take_many(&mut arena, 11, 100_000);
        let (stays, ends) = burst.split_at(1000);
        let last = take_many(&mut arena, LARGE, 1);
        for place in ends {
            arena.release(*place, 11);
            arena.shrink();
        }
        // The chunk with the last block stays at its index, and keeps the table long.
        assert!(arena.chunks.len() > 1500 && arena.count < 40, "{}", arena.count);
        assert_eq!(take_many(&mut arena, 11, 200).len(), 200);
        assert!(arena.chunks.len() < 1600, "vacant entries are reused");
        arena.release(last[0], LARGE);
        stays.iter().for_each(|place| arena.release(*place, 11));
        arena.release(kept[0], 5);
        arena.loops = 0;
        arena.shrink();
        assert_eq!((arena.count, arena.unused), (4, 0), "200 blocks are still taken");
    }

    #[test]
    fn a_large_burst_is_freed_in_pieces() {
        let mut arena = arena();
        let blocks = CHUNK_WORDS_MAX / LARGE;
        let burst = take_many(&mut arena, LARGE, (2 * FREED_MAX + 100) * blocks);
        burst.into_iter().for_each(|place| arena.release(place, LARGE));
        let mut steps = vec![(arena.count, arena.is_behind)];
        for _ in 0..3 {
            arena.shrink();
            assert_eq!(arena.unused, arena.count);
            steps.push((arena.count, arena.is_behind));
        }
        let counts = [2 * FREED_MAX + 100, FREED_MAX + 100, 100, 0];
        assert!(steps.into_iter().eq(counts.into_iter().zip([false, true, true, false])));
        assert_eq!(arena.chunks.capacity(), 0);
    }

    #[test]
    fn nothing_is_kept_without_a_loop() {
        let mut arena = arena();
        let places = take_many(&mut arena, 11, 1000);
        arena.loops = 0;
        places.into_iter().for_each(|place| arena.release(place, 11));
        assert_eq!((arena.count, arena.unused, arena.chunks.capacity()), (0, 0, 0));
    }
}
