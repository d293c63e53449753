//! The events of a world, in the order of their times.
//!
//! Invariant: events of one time and one tie leave in the order in which they came. The tie of a
//! connection is a hash of the seed and its number: so connections that have events at one time
//! take turns in an order of the seed, and one connection keeps its order.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A priority queue of events.
#[derive(Debug)]
pub(super) struct EventQueue<T> {
    heap: BinaryHeap<Entry<T>>,
    /// The number of events so far.
    sequence: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: u64,
    tie: u64,
    sequence: u64,
    event: T,
}

impl<T> EventQueue<T> {
    pub(super) fn new() -> EventQueue<T> {
        EventQueue { heap: BinaryHeap::new(), sequence: 0 }
    }

    pub(super) fn push(&mut self, at: u64, tie: u64, event: T) {
        self.sequence += 1;
        self.heap.push(Entry { at, tie, sequence: self.sequence, event });
    }

    /// Removes the next event, and returns it with its time.
    pub(super) fn pop(&mut self) -> Option<(u64, T)> {
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }

    /// Returns the time of the next event.
    pub(super) fn next_time(&self) -> Option<u64> {
        self.heap.peek().map(|entry| entry.at)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }
}

impl<T> Ord for Entry<T> {
    /// The heap returns the greatest: that is the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |entry: &Self| (entry.at, entry.tie, entry.sequence);
        key(other).cmp(&key(self))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_leave_by_time_then_by_tie_then_in_order() {
        let mut queue = EventQueue::new();
        for (at, tie, event) in [(2, 0, 'a'), (1, 9, 'b'), (1, 3, 'c'), (1, 9, 'd'), (1, 3, 'e')] {
            queue.push(at, tie, event);
        }
        let order: String = std::iter::from_fn(|| queue.pop()).map(|(_, event)| event).collect();
        assert_eq!(order, "cebda");
    }
}
