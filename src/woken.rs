//! L0: wakers that were taken out, and are to be woken once nothing is borrowed.
//!
//! Invariant: none is forgotten. When one of them panics, or what comes before does, the others are
//! woken all the same.

use std::collections::VecDeque;
use std::task::Waker;

/// Wakers in the order in which they are woken: by [`Woken::wake`], or when this is dropped.
#[derive(Debug, Default)]
#[must_use = "wake them once nothing is borrowed"]
pub(crate) struct Woken(VecDeque<Waker>);

/// Wakes the one that was chosen, if any was.
pub(crate) fn wake(chosen: Option<Waker>) {
    if let Some(waker) = chosen {
        waker.wake();
    }
}

impl Woken {
    pub(crate) fn wake(mut self) {
        while let Some(waker) = self.0.pop_front() {
            waker.wake();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Extend<Waker> for Woken {
    fn extend<I: IntoIterator<Item = Waker>>(&mut self, wakers: I) {
        self.0.extend(wakers);
    }
}

impl Drop for Woken {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}
