//! Wakers that were taken out, and are to be woken once nothing is borrowed.
//!
//! Invariant: none is forgotten. When one of them panics, or what comes before does, the others are
//! woken all the same, and the first panic goes on after that.

use std::cell::Cell;
use std::collections::VecDeque;
use std::task::Waker;

use crate::caught::until_done;

/// Wakers in the order in which they are woken: by [`WakeList::wake`], or when this is dropped.
#[derive(Debug, Default)]
#[must_use = "wake them once nothing is borrowed"]
pub(crate) struct WakeList(VecDeque<Waker>);

/// Wakes a waker, if there is one.
pub(crate) fn wake(woken: Option<Waker>) {
    if let Some(waker) = woken {
        waker.wake();
    }
}

impl WakeList {
    pub(crate) fn wake(mut self) {
        while self.wake_first() {}
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn wake_first(&mut self) -> bool {
        let first = self.0.pop_front();
        let is_some = first.is_some();
        wake(first);
        is_some
    }
}

impl Extend<Waker> for WakeList {
    fn extend<I: IntoIterator<Item = Waker>>(&mut self, wakers: I) {
        self.0.extend(wakers);
    }
}

impl From<VecDeque<Waker>> for WakeList {
    fn from(wakers: VecDeque<Waker>) -> WakeList {
        WakeList(wakers)
    }
}

impl Drop for WakeList {
    fn drop(&mut self) {
        // Some are left only after a panic, or if `wake` was not called.
        if !self.0.is_empty() {
            until_done(|| self.wake_first());
        }
    }
}

/// Keeps `waker` in `slot`, in the place of the one before; that one stays if it wakes the same
/// task. Cloning and dropping are foreign: what the waker is to tell of may have come meanwhile.
pub(crate) fn keep(slot: &Cell<Option<Waker>>, waker: &Waker) {
    let old = slot.take();
    let same = old.as_ref().is_some_and(|old| old.will_wake(waker));
    slot.set(if same { old } else { Some(waker.clone()) });
}
