//! Things that are given to one after the other: the free slots of a queue, or its values.
//!
//! Invariant: a thing is free only while nobody waits for one. Who waits is chosen in turn; the
//! thing is the chosen one's from then on, and goes on to the next if that one is dropped.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker, ready};

use super::error::QueueClosed;
use crate::budget;
use crate::current::{self, WaitsFor};
use crate::wait_list::WaitList;
use crate::wait_place::WaitPlace;
use crate::woken::{Woken, wake};

/// Things, counted, and who waits for one.
#[derive(Debug)]
pub(super) struct Line {
    free: Cell<usize>,
    waiting: RefCell<WaitList>,
    state: Cell<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// What there is can be taken; no more will come.
    Ended,
    /// Nothing can be taken, nor by those who were chosen. Their places went with the list.
    Void,
}

/// A future's turn to get one of the things.
pub(super) struct Turn<'a> {
    line: &'a Line,
    place: WaitPlace<'a>,
}

impl Line {
    pub(super) fn new(free: usize) -> Line {
        let waiting = RefCell::new(WaitList::new());
        Line { free: Cell::new(free), waiting, state: Cell::new(State::Open) }
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

    /// Adds one. It goes to who waited longest, whose waker comes back to be woken.
    #[must_use = "wake it once all is consistent"]
    pub(super) fn give(&self) -> Option<Waker> {
        let chosen = self.waiting.borrow_mut().choose();
        if chosen.is_none() {
            self.free.set(self.free.get() + 1);
        }
        chosen
    }

    /// Adds some for which nobody waits.
    pub(super) fn add(&self, more: usize) {
        self.free.set(self.free.get() + more);
    }

    /// Waits for one.
    pub(super) fn turn(&self) -> Turn<'_> {
        Turn { line: self, place: WaitPlace::new(&self.waiting) }
    }

    /// No more will come, but to those who were chosen.
    pub(super) fn end(&self) -> Woken {
        if self.is_open() {
            self.state.set(State::Ended);
        }
        self.waiting.borrow_mut().take_wakers()
    }

    /// Nobody gets one any more. Those that were given and not taken are free again.
    pub(super) fn void(&self) -> Woken {
        self.state.set(State::Void);
        let mut waiting = self.waiting.replace(WaitList::new());
        let places = waiting.len();
        let woken = waiting.take_wakers();
        self.free.set(self.free.get() + (places - woken.len()));
        woken
    }

    /// Takes all that are free.
    pub(super) fn take_all(&self) -> usize {
        self.free.take()
    }
}

impl Turn<'_> {
    /// Waits until one was taken.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), QueueClosed>> {
        ready!(budget::poll_left(cx));
        let line = self.line;
        match self.place.poll(cx, |place| line.look(place)) {
            Poll::Ready(taken) => {
                budget::spend();
                Poll::Ready(taken)
            }
            Poll::Pending => current::pending(WaitsFor::Channel),
        }
    }
}

impl Line {
    fn look(&self, place: &mut WaitPlace<'_>) -> Option<Result<(), QueueClosed>> {
        if self.is_void() {
            place.forget();
            return Some(Err(QueueClosed));
        }
        if place.take_chosen() || (!place.has_place() && self.try_take()) {
            return Some(Ok(()));
        }
        if self.is_open() {
            return None;
        }
        place.leave();
        Some(Err(QueueClosed))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.line.is_void() {
            self.place.forget();
        } else if self.place.leave() {
            // Its turn is the next one's.
            wake(self.line.give());
        }
    }
}
