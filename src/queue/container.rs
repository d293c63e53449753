//! What a queue keeps its values in: this decides which of them comes out next.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A collection of std that has one way in and one way out.
pub trait Container: Default {
    /// What it holds.
    type Value;

    /// Adds a value.
    fn push(&mut self, value: Self::Value);

    /// Takes the value that is next.
    fn pop(&mut self) -> Option<Self::Value>;
}

/// First in, first out.
impl<T> Container for VecDeque<T> {
    type Value = T;

    fn push(&mut self, value: T) {
        self.push_back(value);
    }

    fn pop(&mut self) -> Option<T> {
        self.pop_front()
    }
}

/// Last in, first out.
impl<T> Container for Vec<T> {
    type Value = T;

    fn push(&mut self, value: T) {
        self.push(value);
    }

    fn pop(&mut self) -> Option<T> {
        self.pop()
    }
}

/// The smallest first.
impl<T: Ord> Container for BinaryHeap<Reverse<T>> {
    type Value = T;

    fn push(&mut self, value: T) {
        self.push(Reverse(value));
    }

    fn pop(&mut self) -> Option<T> {
        self.pop().map(|Reverse(value)| value)
    }
}
