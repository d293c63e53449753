//! The tasks that wait for one direction of an I/O object: usually none or one, seldom more.
//!
//! All are woken at once, so their order does not matter. One waiter needs no allocation.
//! Invariant: a slot belongs to one future, from its first wait until the future completes or is
//! dropped, so no future removes another's waker.

use std::cell::Cell;
use std::mem;
use std::num::NonZeroU32;
use std::task::Waker;

use slab::Slab;

use crate::wait::store_waker;

/// The waiters of one direction.
#[derive(Default)]
pub(crate) struct Waiters<S = ()> {
    /// The flags of the owner. They lie here since they fit into the padding of this type.
    pub(super) state: S,
    /// The slots that may hold a waker: `FIRST_SLOT` and `OTHER_SLOTS`, or'ed.
    waiting: Cell<u8>,
    /// The first slot is in use.
    has_first: Cell<bool>,
    /// The waker in the first slot.
    first: Cell<Option<Waker>>,
    others: Others,
}

/// The other slots. Not generic: rarely run code is compiled once.
#[derive(Default)]
struct Others(Cell<Option<Slots>>);

type Slots = Box<Slab<Option<Waker>>>;

/// The key of a future's slot in [`Waiters`]; `None` until it waits. 1 is the first slot, 2 and up
/// are the others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WaiterKey(Option<NonZeroU32>);

/// The capacity of empty other slots that is retained.
const KEPT_MAX: usize = 4;

const FIRST_SLOT: u8 = 1 << 0;
const OTHER_SLOTS: u8 = 1 << 1;

const FIRST: NonZeroU32 = NonZeroU32::MIN;

impl WaiterKey {
    /// Returns whether the future has a slot.
    #[inline]
    pub(crate) fn is_registered(self) -> bool {
        self.0.is_some()
    }
}

impl<S> Waiters<S> {
    /// Moves all wakers to `woken`, which must not run user code. The slots stay in use.
    #[inline(always)]
    pub(crate) fn take_wakers(&self, woken: &mut impl Extend<Waker>) {
        let waiting = self.waiting.get();
        if waiting == 0 {
            return;
        }
        self.waiting.set(0);
        if let Some(first) = self.first.take() {
            woken.extend(Some(first));
        }
        if waiting & OTHER_SLOTS != 0 {
            self.others.take_wakers(&mut |waker| woken.extend(Some(waker)));
        }
    }

    /// Returns whether any slot may hold a waker.
    #[inline]
    pub(crate) fn has_wakers(&self) -> bool {
        self.waiting.get() != 0
    }

    /// Calls `f` with each waker. The wakers are moved meanwhile: `f` must not run user code.
    pub(super) fn scan(&self, f: &mut dyn FnMut(&Waker)) {
        let first = self.first.take();
        if let Some(waker) = &first {
            f(waker);
        }
        self.first.set(first);
        self.others.scan(f);
    }

    /// Stores a waker in the slot of `key`. Assigns a slot if it has none.
    #[inline]
    pub(crate) fn wait(&self, key: &mut WaiterKey, waker: &Waker) {
        if key.0.is_some() || self.has_first.get() {
            return self.wait_again_or_behind(key, waker);
        }
        // Set before the waker is cloned: cloning may run user code, which may call this again.
        self.has_first.set(true);
        key.0 = Some(FIRST);
        let old = self.first.replace(Some(waker.clone()));
        debug_assert!(old.is_none(), "a slot that is not in use holds no waker");
        // Nothing to drop: this saves the check.
        mem::forget(old);
        self.add_waiting(FIRST_SLOT);
    }

    /// Stores a waker in a slot that is in use, or in a slot behind the first one.
    #[cold]
    fn wait_again_or_behind(&self, key: &mut WaiterKey, waker: &Waker) {
        if key.0 != Some(FIRST) {
            let old = self.others.wait(key, waker.clone());
            self.add_waiting(OTHER_SLOTS);
            return drop(old);
        }
        store_waker(&self.first, waker);
        self.add_waiting(FIRST_SLOT);
    }

    #[inline]
    fn add_waiting(&self, slots: u8) {
        self.waiting.set(self.waiting.get() | slots);
    }

    /// Frees the slot of `key`, if it has one.
    #[inline]
    pub(crate) fn deregister(&self, key: &mut WaiterKey) {
        self.remove(mem::take(key));
    }

    /// Frees the slot of a key that is not used again, if it has one.
    #[inline]
    pub(super) fn remove(&self, key: WaiterKey) {
        match key.0 {
            None => {}
            Some(FIRST) => {
                self.has_first.set(false);
                if self.has_wakers() {
                    drop(self.first.take());
                }
            }
            Some(key) => self.others.leave(key),
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_first.get() && self.others.0.take().is_none_or(|others| others.is_empty())
    }
}

impl Others {
    /// Calls `f` with all wakers. It must not run user code.
    #[cold]
    fn take_wakers(&self, f: &mut dyn FnMut(Waker)) {
        let Some(mut slots) = self.0.take() else { return };
        for (_, waker) in slots.iter_mut() {
            waker.take().into_iter().for_each(&mut *f);
        }
        self.0.set(Some(slots));
    }

    /// See [`Waiters::scan`].
    fn scan(&self, f: &mut dyn FnMut(&Waker)) {
        let Some(slots) = self.0.take() else { return };
        for (_, waker) in slots.iter() {
            waker.iter().for_each(&mut *f);
        }
        self.0.set(Some(slots));
    }

    /// Stores a waker in the slot of `key`. Assigns a slot if it has none. Returns the old waker.
    fn wait(&self, key: &mut WaiterKey, waker: Waker) -> Option<Waker> {
        let mut slots = self.0.take().unwrap_or_default();
        let old = match key.0 {
            Some(key) => slots[index(key)].replace(waker),
            None => {
                key.0 = Some(key_of(slots.insert(Some(waker))));
                None
            }
        };
        self.0.set(Some(slots));
        old
    }

    #[cold]
    fn leave(&self, key: NonZeroU32) {
        let Some(mut slots) = self.0.take() else { return };
        let old = slots.remove(index(key));
        // A few slots are retained: a source with several waiters will probably have them again.
        let is_retained = !slots.is_empty() || slots.capacity() <= KEPT_MAX;
        self.0.set(is_retained.then_some(slots));
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
