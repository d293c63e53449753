//! Who waits for one direction of an I/O object: nobody, one, seldom more.
//!
//! All are woken at once, so their order says nothing. One costs no allocation. Invariant: a place
//! belongs to one future, from its first wait until the future completes or is dropped, so nobody
//! ever removes another's waker.

use std::cell::Cell;
use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::task::Waker;

use slab::Slab;

use crate::wait::keep;

/// The waiters of one direction.
#[derive(Default)]
pub(crate) struct Waiters {
    /// A waker may be in one of the places.
    has_wakers: Cell<bool>,
    /// The first place is somebody's.
    first_taken: Cell<bool>,
    /// The waker in the first place.
    first: Cell<Option<Waker>>,
    /// The places behind it.
    more: Cell<Option<Places>>,
}

type Places = Box<Slab<Option<Waker>>>;

/// A future's place among [`Waiters`]; none until it waits. 1 is the first, 2 and up are behind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WaiterKey(Option<NonZeroU32>);

/// Places behind the first that are kept when they are empty.
const KEPT_MAX: usize = 4;

const FIRST: NonZeroU32 = NonZeroU32::MIN;

impl Waiters {
    /// Adds all wakers to `woken`. The places stay.
    #[inline]
    pub(crate) fn take_wakers(&self, woken: &mut VecDeque<Waker>) {
        if !self.has_wakers.replace(false) {
            return;
        }
        if let Some(first) = self.first.take() {
            woken.push_back(first);
        }
        if let Some(more) = self.more.take() {
            self.take_wakers_behind(more, woken);
        }
    }

    /// Leaves a waker at `key`, which gets a place if it has none.
    pub(crate) fn wait(&self, key: &mut WaiterKey, waker: &Waker) {
        match key.0 {
            Some(FIRST) => {}
            None if !self.first_taken.get() => {
                // Before anything foreign runs: whoever waits meanwhile goes behind.
                self.first_taken.set(true);
                key.0 = Some(FIRST);
            }
            _ => return self.wait_behind(key, waker.clone()),
        }
        keep(&self.first, waker);
        self.has_wakers.set(true);
    }

    /// Gives up a place, if `key` has one.
    #[inline]
    pub(crate) fn leave(&self, key: &mut WaiterKey) {
        match key.0.take() {
            None => {}
            Some(FIRST) => {
                self.first_taken.set(false);
                drop(self.first.take());
            }
            Some(key) => self.leave_behind(key),
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        !self.first_taken.get() && self.more.take().is_none_or(|more| more.is_empty())
    }

    #[cold]
    fn take_wakers_behind(&self, mut more: Places, woken: &mut VecDeque<Waker>) {
        woken.extend(more.iter_mut().filter_map(|(_, waker)| waker.take()));
        self.more.set(Some(more));
    }

    #[cold]
    fn wait_behind(&self, key: &mut WaiterKey, waker: Waker) {
        let mut more = self.more.take().unwrap_or_default();
        let old = match key.0 {
            Some(key) => more[index(key)].replace(waker),
            None => {
                key.0 = Some(waiter(more.insert(Some(waker))));
                None
            }
        };
        self.more.set(Some(more));
        self.has_wakers.set(true);
        drop(old);
    }

    #[cold]
    fn leave_behind(&self, key: NonZeroU32) {
        let Some(mut more) = self.more.take() else { return };
        let old = more.remove(index(key));
        // A few places are kept: who waits behind the first once will do so again.
        let keep = !more.is_empty() || more.capacity() <= KEPT_MAX;
        self.more.set(keep.then_some(more));
        drop(old);
    }
}

/// Where in `more` a key points.
fn index(key: NonZeroU32) -> usize {
    key.get() as usize - 2
}

/// The key of an index of `more`.
fn waiter(index: usize) -> NonZeroU32 {
    u32::try_from(index + 2).ok().and_then(NonZeroU32::new).expect("2^32 futures wait on a source")
}
