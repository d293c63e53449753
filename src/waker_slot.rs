//! L0: room for the waker of the one future that waits.

use std::cell::Cell;
use std::task::Waker;

/// Keeps `waker` in `slot`, in the place of the one before; that one stays if it wakes the same
/// task. Cloning and dropping are foreign: what the waker is to tell of may have come meanwhile.
pub(crate) fn keep(slot: &Cell<Option<Waker>>, waker: &Waker) {
    let old = slot.take();
    let same = old.as_ref().is_some_and(|old| old.will_wake(waker));
    slot.set(if same { old } else { Some(waker.clone()) });
}
