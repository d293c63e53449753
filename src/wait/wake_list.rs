//! Wakers that were taken out of their queue, and are woken after all borrows have ended.
//!
//! Invariant: no waker is lost. If a waker panics, or the code before it does, the others are woken
//! nevertheless, and the first panic continues after that.

use std::cell::Cell;
use std::collections::VecDeque;
use std::task::Waker;

use crate::caught::until_done;

/// Wakers in the order in which they are woken, by [`WakeList::wake`] or by the drop of the list.
#[derive(Debug, Default)]
#[must_use = "wake the wakers after all borrows have ended"]
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

    fn wake_first(&mut self) -> bool {
        let first = self.0.pop_front();
        let is_some = first.is_some();
        wake(first);
        is_some
    }
}

impl Extend<Waker> for WakeList {
    fn extend<I: IntoIterator<Item = Waker>>(&mut self, wakers: I) {
        // `VecDeque::extend` would be compiled again for each kind of iterator.
        wakers.into_iter().for_each(|waker| self.0.push_back(waker));
    }
}

impl From<Vec<Waker>> for WakeList {
    fn from(wakers: Vec<Waker>) -> WakeList {
        WakeList(wakers.into())
    }
}

impl Drop for WakeList {
    fn drop(&mut self) {
        // Wakers are left only after a panic, or if `wake` was not called.
        if !self.0.is_empty() {
            until_done(&mut || self.wake_first());
        }
    }
}

/// Stores a clone of `waker` in `slot`, unless the stored one wakes the same task. Cloning and
/// dropping a waker is user code: the caller must check again whether its event has happened.
pub(crate) fn store_waker(slot: &Cell<Option<Waker>>, waker: &Waker) {
    let old = slot.take();
    let same = old.as_ref().is_some_and(|old| old.will_wake(waker));
    slot.set(if same { old } else { Some(waker.clone()) });
}
