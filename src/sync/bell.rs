//! A bell: what [`Notify`](super::Notify), [`Event`](super::Event), [`Condvar`](super::Condvar) and
//! [`Barrier`](super::Barrier) wait for.
//!
//! It is rung for the one who listened longest, or for all. A ring for all is over at once: a count
//! goes up, and whoever began to listen before that has heard it, whether it was woken yet or not.
//! Invariant: a ring for one ends with one who heard it: dropped before that, it rings the next.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::current::{self, WaitsFor, budget};
use crate::wait::{Line, WaitKey};

/// Rings for who listens.
pub(crate) struct Bell {
    /// The notes say how often it had been rung for all before.
    line: Line<u64>,
    rings: Cell<u64>,
    /// A ring for one that nobody hears is kept for who listens next.
    keeps: bool,
    is_kept: Cell<bool>,
}

/// Left for those who were woken by a ring for all, and have nothing to pass on.
const FOR_ALL: u64 = u64::MAX;

/// One who listens, from when it is made to the rings for all, from its first poll to the others.
#[must_use = "a future does nothing unless it is awaited"]
pub(crate) struct Listen<'a> {
    bell: &'a Bell,
    since: u64,
    key: WaitKey,
}

impl Bell {
    pub(crate) const fn new(keeps: bool) -> Bell {
        let (rings, is_kept) = (Cell::new(0), Cell::new(false));
        Bell { line: Line::new(), rings, keeps, is_kept }
    }

    pub(crate) fn listen(&self) -> Listen<'_> {
        Listen { bell: self, since: self.rings.get(), key: WaitKey::default() }
    }

    /// Whether a ring is kept for who listens next.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept.get()
    }

    /// Rings for the `n` who listened longest.
    pub(crate) fn ring(&self, mut n: usize) {
        self.line.call(|line| match line.first()? {
            // It heard a ring for all that is still waking.
            since if since < self.rings.get() => line.choose_with(FOR_ALL),
            _ => {
                n = n.checked_sub(1)?;
                line.choose()
            }
        });
        if n > 0 && self.keeps {
            self.is_kept.set(true);
        }
    }

    /// Rings for all who listen.
    pub(crate) fn ring_all(&self) {
        self.rings.set(self.rings.get() + 1);
        self.ring(0);
    }
}

impl Listen<'_> {
    /// `Ready` once the bell was rung for this one. It may still pass that on, by being dropped,
    /// until [`hear`](Listen::hear).
    pub(crate) fn poll_ring(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Listen { bell, since, key } = self;
        let is_rung = |key: WaitKey| match key.has_place() {
            _ if *since != bell.rings.get() => true,
            true => bell.line.chosen(key).is_some(),
            false => bell.is_kept.get(),
        };
        match bell.line.poll(key, *since, cx, is_rung) {
            Poll::Pending => current::pending(WaitsFor::Event),
            ready => ready,
        }
    }

    /// Takes the ring that [`poll_ring`](Listen::poll_ring) told of.
    pub(crate) fn hear(&mut self) {
        if self.key.has_place() {
            drop(self.bell.line.leave(&mut self.key));
        } else if self.since == self.bell.rings.get() {
            self.bell.is_kept.set(false);
        }
    }
}

impl Future for Listen<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll_ring(cx));
        ready!(budget::poll_left(cx));
        self.hear();
        budget::spend();
        Poll::Ready(())
    }
}

impl Drop for Listen<'_> {
    fn drop(&mut self) {
        if !self.key.has_place() {
            return;
        }
        let (chosen, _waker) = self.bell.line.leave(&mut self.key);
        if chosen.is_some_and(|note| note != FOR_ALL) {
            self.bell.ring(1);
        }
    }
}
