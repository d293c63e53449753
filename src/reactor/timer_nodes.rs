//! The memory of a timing wheel: its nodes, and which of them are free.
//!
//! Pure: this file makes no system call. The nodes lie in one vector: chunks that never move were
//! tried, and one more step to each node costs 4% of a `timeout`. Growth copies 6 MB at most under
//! glibc, in about 2 ms, since allocations from 32 MB on grow without a copy. A burst of timers is
//! freed in pieces.
//!
//! Invariant: a free node is in no list of the wheel, and has no waker.

use std::mem;
use std::num::NonZeroU32;
use std::ops::{Index, IndexMut};
use std::slice;
use std::task::Waker;

/// Nodes that become free at once.
const CHUNK: u32 = 64;
/// A table of so many nodes grows to `MAPPED` nodes at once: 32 MB, of which the unused part takes
/// addresses only, and which glibc grows without a copy. More steps would copy 25 MB on the way.
const LARGE: usize = 1 << 17;
const MAPPED: usize = 1 << 20;
/// Nodes that are retained for later deadlines while the wheel is empty.
pub(super) const KEPT_MAX: usize = 1 << 14;
/// The most nodes that one call frees: 4 MB, about 1 ms.
const FREED_MAX: usize = 1 << 17;

/// A deadline; or a slot of the wheel, the head of its circular list.
#[derive(Debug)]
pub(super) struct Node {
    /// In nanoseconds. Of a slot: a lower bound, exact unless the nearest deadline was removed.
    pub(super) deadline: u64,
    /// `None` for a slot, and while the node is free.
    pub(super) waker: Option<Waker>,
    /// Links also the free nodes.
    pub(super) next: u32,
    pub(super) previous: u32,
}

/// The key of a deadline in the wheel, valid until it fires or is removed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimerKey(NonZeroU32);

/// The heads of the slots, then the nodes of deadlines and the free nodes. Empty until the first
/// deadline.
#[derive(Debug)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
    /// The number of heads.
    heads: u32,
    /// The first free node.
    free: Option<NonZeroU32>,
    /// The nodes from this index on are free, and not linked.
    unlinked: u32,
}

impl Nodes {
    /// Creates a table that will begin with `heads` nodes for slots.
    pub(super) const fn new(heads: u32) -> Nodes {
        Nodes { nodes: Vec::new(), heads, free: None, unlinked: heads }
    }

    /// Returns the number of nodes.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn iter(&self) -> slice::Iter<'_, Node> {
        self.nodes.iter()
    }

    /// Returns the first free node, for [`take`](Nodes::take).
    #[inline]
    pub(super) fn first_free(&mut self) -> TimerKey {
        TimerKey(self.free.unwrap_or_else(|| self.add()))
    }

    /// Takes the first free node.
    #[inline]
    pub(super) fn take(&mut self, key: TimerKey) -> &mut Node {
        let node = &mut self.nodes[key.index() as usize];
        self.free = NonZeroU32::new(node.next);
        node
    }

    /// Makes a node free. Returns its waker.
    #[inline]
    pub(super) fn release(&mut self, key: u32) -> Option<Waker> {
        let node = &mut self.nodes[key as usize];
        let next = mem::replace(&mut self.free, NonZeroU32::new(key));
        node.next = next.map_or(0, NonZeroU32::get);
        node.waker.take()
    }

    /// Links free nodes. The first time makes the heads of the slots. Returns the first free node.
    #[cold]
    fn add(&mut self) -> NonZeroU32 {
        let first = self.unlinked;
        let end = first.checked_add(CHUNK).expect("2^32 timers wait");
        let len = self.nodes.len();
        if end as usize > self.nodes.capacity() && (LARGE..MAPPED).contains(&len) {
            self.nodes.reserve_exact(MAPPED - len);
        }
        self.nodes.extend((len as u32..end).map(Node::unlinked));
        for key in first..end - 1 {
            self[key].next = key + 1;
        }
        self[end - 1].next = 0;
        self.unlinked = end;
        self.free = NonZeroU32::new(first);
        self.free.expect("the first node is the head of a slot")
    }

    /// Frees the memory of a burst of timers, or a large piece of it. All nodes but the heads must
    /// be free. Returns whether memory is left to the next call.
    #[cold]
    pub(super) fn shrink(&mut self) -> bool {
        let kept = self.nodes.len().saturating_sub(FREED_MAX).max((self.heads + CHUNK) as usize);
        self.nodes.truncate(kept);
        self.nodes.shrink_to_fit();
        (self.free, self.unlinked) = (None, self.heads);
        self.nodes.len() > KEPT_MAX
    }
}

impl Index<u32> for Nodes {
    type Output = Node;

    #[inline]
    fn index(&self, key: u32) -> &Node {
        &self.nodes[key as usize]
    }
}

impl IndexMut<u32> for Nodes {
    #[inline]
    fn index_mut(&mut self, key: u32) -> &mut Node {
        &mut self.nodes[key as usize]
    }
}

impl Node {
    /// Creates a node that is its own list, as the head of an empty slot is.
    fn unlinked(key: u32) -> Node {
        Node { deadline: u64::MAX, waker: None, next: key, previous: key }
    }
}

impl TimerKey {
    #[inline]
    pub(super) fn index(self) -> u32 {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: u32 = 704;

    fn take(nodes: &mut Nodes) -> u32 {
        let key = nodes.first_free();
        nodes.take(key);
        key.index()
    }

    #[test]
    fn a_large_table_grows_once_up_to_a_million_nodes() {
        let mut nodes = Nodes::new(HEADS);
        let mut growths = Vec::new();
        for _ in 0..MAPPED / 2 {
            let capacity = nodes.nodes.capacity();
            take(&mut nodes);
            if nodes.nodes.capacity() != capacity && capacity >= LARGE {
                growths.push(nodes.nodes.capacity());
            }
        }
        assert_eq!(growths, [MAPPED]);
    }

    #[test]
    fn a_large_burst_is_freed_in_pieces() {
        let mut nodes = Nodes::new(HEADS);
        let keys: Vec<_> = (0..2 * FREED_MAX + KEPT_MAX).map(|_| take(&mut nodes)).collect();
        assert!(keys.iter().copied().eq(HEADS..nodes.len() as u32), "no node is taken twice");
        keys.into_iter().for_each(|key| drop(nodes.release(key)));
        let full = nodes.len();
        assert!(nodes.shrink());
        assert_eq!((nodes.len(), nodes.nodes.capacity()), (full - FREED_MAX, full - FREED_MAX));
        // Nodes of the rest can be taken, and are free at the next call.
        assert_eq!(take(&mut nodes), HEADS);
        nodes.release(HEADS);
        assert!(nodes.shrink());
        assert!(!nodes.shrink());
        assert_eq!(nodes.len(), (HEADS + CHUNK) as usize);
    }
}
