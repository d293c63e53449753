//! The tasks that wait for one direction of an I/O object: usually none or one, seldom more.
//!
//! All are woken at once, so their order does not matter. One waiter needs no allocation.
//! Invariant: a slot belongs to one future, from its first wait until the future completes or is
//! dropped, so no future removes another's waker.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::task::Waker;

use slab::Slab;

use crate::wait::store_waker;

/// The waiters of one direction.
#[derive(Default)]
pub(crate) struct Waiters<S = ()> {
    /// The flags of the owner. They lie here since they fit into the padding of this type.
    pub(super) state: S,
    /// A slot may hold a waker.
    has_wakers: Cell<bool>,
    /// The first slot is in use.
    has_first: Cell<bool>,
    /// The waker in the first slot.
    first: Cell<Option<Waker>>,
    /// The other slots.
    others: Cell<Option<Slots>>,
}

type Slots = Box<Slab<Option<Waker>>>;

/// The key of a future's slot in [`Waiters`]; `None` until it waits. 1 is the first slot, 2 and up
/// are the others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WaiterKey(Option<NonZeroU32>);

/// The capacity of empty other slots that is retained.
const KEPT_MAX: usize = 4;

const FIRST: NonZeroU32 = NonZeroU32::MIN;

impl WaiterKey {
    /// Returns whether the future has a slot.
    #[inline]
    pub(crate) fn is_registered(self) -> bool {
        self.0.is_some()
    }
}

impl<S> Waiters<S> {
    /// Moves all wakers to `woken`. The slots stay in use.
    #[inline]
    pub(crate) fn take_wakers(&self, woken: &mut Vec<Waker>) {
        if !self.has_wakers.replace(false) {
            return;
        }
        if let Some(first) = self.first.take() {
            woken.push(first);
        }
        if let Some(others) = self.others.take() {
            self.take_other_wakers(others, woken);
        }
    }

    /// Returns whether any slot may hold a waker.
    #[inline]
    pub(crate) fn has_wakers(&self) -> bool {
        self.has_wakers.get()
    }

    /// Calls `f` with each waker. The wakers are moved meanwhile: `f` must not run user code.
    pub(super) fn scan(&self, mut f: impl FnMut(&Waker)) {
        let (first, others) = (self.first.take(), self.others.take());
        first.iter().for_each(&mut f);
        others
            .iter()
            .flat_map(|slots| slots.iter())
            .filter_map(|(_, slot)| slot.as_ref())
            .for_each(f);
        self.first.set(first);
        self.others.set(others);
    }

    /// Stores a waker in the slot of `key`. Assigns a slot if it has none. Out of line, so that an
    /// operation that does not wait saves no registers.
    #[inline(never)]
    pub(crate) fn wait(&self, key: &mut WaiterKey, waker: &Waker) {
        match key.0 {
            Some(FIRST) => store_waker(&self.first, waker),
            None if !self.has_first.get() => {
                // Set before the waker is cloned: cloning may run user code, which may call this
                // again.
                self.has_first.set(true);
                key.0 = Some(FIRST);
                self.first.set(Some(waker.clone()));
            }
            _ => return self.wait_in_others(key, waker.clone()),
        }
        self.has_wakers.set(true);
    }

    /// Frees the slot of `key`, if it has one.
    #[inline]
    pub(crate) fn deregister(&self, key: &mut WaiterKey) {
        match key.0.take() {
            None => {}
            Some(FIRST) => {
                self.has_first.set(false);
                drop(self.first.take());
            }
            Some(key) => self.leave_others(key),
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_first.get() && self.others.take().is_none_or(|others| others.is_empty())
    }

    #[cold]
    fn take_other_wakers(&self, mut others: Slots, woken: &mut Vec<Waker>) {
        woken.extend(others.iter_mut().filter_map(|(_, waker)| waker.take()));
        self.others.set(Some(others));
    }

    #[cold]
    fn wait_in_others(&self, key: &mut WaiterKey, waker: Waker) {
        let mut others = self.others.take().unwrap_or_default();
        let old = match key.0 {
            Some(key) => others[index(key)].replace(waker),
            None => {
                key.0 = Some(key_of(others.insert(Some(waker))));
                None
            }
        };
        self.others.set(Some(others));
        self.has_wakers.set(true);
        drop(old);
    }

    #[cold]
    fn leave_others(&self, key: NonZeroU32) {
        let Some(mut others) = self.others.take() else { return };
        let old = others.remove(index(key));
        // A few slots are retained: a source with several waiters will probably have them again.
        let is_retained = !others.is_empty() || others.capacity() <= KEPT_MAX;
        self.others.set(is_retained.then_some(others));
        drop(old);
    }
}

/// Returns the index in `others` of a key.
fn index(key: NonZeroU32) -> usize {
    key.get() as usize - 2
}

/// Returns the key of an index in `others`.
fn key_of(index: usize) -> NonZeroU32 {
    u32::try_from(index + 2).ok().and_then(NonZeroU32::new).expect("2^32 futures wait on a source")
}
