//! The collections that hold the values of a queue: each decides which value is next.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A collection of std with one way to add a value and one order to take them.
pub trait Container: Default {
    /// The type of the values.
    type Value;

    /// Adds a value.
    fn push(&mut self, value: Self::Value);

    /// Takes the next value.
    fn pop(&mut self) -> Option<Self::Value>;

    /// Returns the value that [`pop`](Container::pop) takes next.
    fn next(&self) -> Option<&Self::Value>;

    /// Returns all values in the order in which they are taken.
    fn in_order(&self) -> Vec<&Self::Value>;
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

    fn next(&self) -> Option<&T> {
        self.front()
    }

    fn in_order(&self) -> Vec<&T> {
        self.iter().collect()
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

    fn next(&self) -> Option<&T> {
        self.last()
    }

    fn in_order(&self) -> Vec<&T> {
        self.iter().rev().collect()
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

    fn next(&self) -> Option<&T> {
        self.peek().map(|Reverse(value)| value)
    }

    fn in_order(&self) -> Vec<&T> {
        let mut values: Vec<_> = self.iter().map(|Reverse(value)| value).collect();
        values.sort_unstable();
        values
    }
}
