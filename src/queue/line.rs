//! Things that are given to one after the other: the free slots of a queue, or its values.
//!
//! Invariant: a thing is free only while nobody waits for one. Who waits is chosen in turn; the
//! thing is the chosen one's from then on, and goes on to the next if that one is dropped.

use std::cell::Cell;
use std::task::{Context, Poll, ready};

use super::error::QueueClosed;
use crate::budget;
use crate::current::{self, WaitsFor};
use crate::sync::line;
use crate::wait_list::WaitKey;

/// Things, counted, and who waits for one.
pub(super) struct Line {
    free: Cell<usize>,
    /// Those that were given to who waited, and not taken yet.
    given: Cell<usize>,
    waiting: line::Line<Lot>,
    state: Cell<State>,
}

/// What somebody in the line gets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lot {
    Nothing,
    One,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// What there is can be taken; no more will come.
    Ended,
    /// Nothing can be taken, nor by those to whom it was given.
    Void,
}

/// A future's turn to get one of the things.
pub(super) struct Turn<'a> {
    line: &'a Line,
    key: WaitKey,
}

impl Line {
    pub(super) fn new(free: usize) -> Line {
        Line {
            free: Cell::new(free),
            given: Cell::new(0),
            waiting: line::Line::new(),
            state: Cell::new(State::Open),
        }
    }

    /// How many are nobody's.
    pub(super) fn free(&self) -> usize {
        self.free.get()
    }

    pub(super) fn is_open(&self) -> bool {
        self.state.get() == State::Open
    }

    pub(super) fn is_void(&self) -> bool {
        self.state.get() == State::Void
    }

    /// Takes one if one is free.
    pub(super) fn try_take(&self) -> bool {
        let free = self.free.get();
        self.free.set(free.saturating_sub(1));
        free > 0
    }

    /// Adds some.
    pub(super) fn add(&self, more: usize) {
        self.free.set(self.free.get() + more);
    }

    /// Adds one. It goes to who waited longest.
    pub(super) fn give(&self) {
        let mut left = Some(());
        self.add(1);
        self.waiting.call(|waiting| {
            left.take()?;
            let chosen = waiting.choose_with(Lot::One)?;
            self.free.set(self.free.get() - 1);
            self.given.set(self.given.get() + 1);
            Some(chosen)
        });
    }

    /// Waits for one.
    pub(super) fn turn(&self) -> Turn<'_> {
        Turn { line: self, key: WaitKey::default() }
    }

    /// No more will come.
    pub(super) fn end(&self) {
        if self.is_open() {
            self.state.set(State::Ended);
            self.tell();
        }
    }

    /// Nobody gets one any more, and is to be told. Those that were given and not taken are free.
    pub(super) fn void(&self) {
        self.state.set(State::Void);
        self.add(self.given.take());
    }

    /// Takes all that are free.
    pub(super) fn take_all(&self) {
        self.free.set(0);
    }

    /// Tells those who wait that they get nothing.
    pub(super) fn tell(&self) {
        self.waiting.call(|waiting| waiting.choose());
    }

    /// Whether there is an answer for `key`.
    fn is_settled(&self, key: WaitKey) -> bool {
        match key.has_place() {
            true => self.waiting.chosen(key).is_some(),
            false => self.free.get() > 0 || !self.is_open(),
        }
    }
}

impl Turn<'_> {
    /// Waits until one was taken.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), QueueClosed>> {
        ready!(budget::poll_left(cx));
        let Turn { line, key } = self;
        let polled = line.waiting.poll(key, Lot::Nothing, cx, |key| line.is_settled(key));
        if polled.is_pending() {
            return current::pending(WaitsFor::Channel);
        }
        budget::spend();
        let was_given = self.leave();
        let is_taken = was_given || (!self.line.is_void() && self.line.try_take());
        Poll::Ready(is_taken.then_some(()).ok_or(QueueClosed))
    }

    /// Leaves the line. Says whether it takes with it what it was given there.
    fn leave(&mut self) -> bool {
        let (lot, _waker) = self.line.waiting.leave(&mut self.key);
        let was_given = lot == Some(Lot::One) && !self.line.is_void();
        if was_given {
            self.line.given.set(self.line.given.get() - 1);
        }
        was_given
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.key.has_place() && self.leave() {
            // Its turn is the next one's.
            self.line.give();
        }
    }
}
