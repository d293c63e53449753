//! The collections that hold the values of a queue: each decides which value is next.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A collection of std with one way to add a value and one way to take one.
pub trait Container: Default {
    /// The type of the values.
    type Value;

    /// Adds a value.
    fn push(&mut self, value: Self::Value);

    /// Takes the next value.
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

/// Smallest first.
impl<T: Ord> Container for BinaryHeap<Reverse<T>> {
    type Value = T;

    fn push(&mut self, value: T) {
        self.push(Reverse(value));
    }

    fn pop(&mut self) -> Option<T> {
        self.pop().map(|Reverse(value)| value)
    }
}
