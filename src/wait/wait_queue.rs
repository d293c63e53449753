//! The futures that wait for one thing, first in first out.
//!
//! Leaving is O(1) from anywhere; a waiter's memory is used again, so that waiting allocates
//! nothing once the list is warm. Pure: wakers are returned, to be woken or dropped when nothing is
//! borrowed. Invariant: a waiter belongs to one future, from its first wait until it is removed,
//! and is in the queue until it is woken.

use std::cell::RefCell;
use std::iter::Sum;
use std::mem;
use std::num::NonZeroU32;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use super::wake_list::{WakeList, wake};
use crate::caught::until_done;

/// A queue of waiting futures, each with a note of what it waits for.
#[derive(Debug)]
pub(crate) struct WaiterList<N = ()> {
    waiters: Slab<Waiter<N>>,
    head: u32,
    tail: u32,
}

#[derive(Debug)]
struct Waiter<N> {
    /// `None`: woken, and not in the queue any more.
    waker: Option<Waker>,
    next: u32,
    previous: u32,
    note: N,
}

/// The key of a future's waiter in a [`WaiterList`]; empty until it waits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WaitKey(Option<NonZeroU32>);

/// No waiter.
const NONE: u32 = u32::MAX;

impl WaiterList {
    /// Waits at the end of the queue, or, if `key` waits already, with another waker. The old waker
    /// comes back.
    pub(crate) fn enqueue_waker(&mut self, key: &mut WaitKey, waker: Waker) -> Option<Waker> {
        self.enqueue(key, (), waker)
    }
}

impl<N: Copy> WaiterList<N> {
    pub(crate) const fn new() -> WaiterList<N> {
        WaiterList { waiters: Slab::new(), head: NONE, tail: NONE }
    }

    /// The number of waiters, waiting or woken.
    pub(crate) fn len(&self) -> usize {
        self.waiters.len()
    }

    /// The same, with a note. A future that waits already keeps its first note.
    pub(crate) fn enqueue(&mut self, key: &mut WaitKey, note: N, waker: Waker) -> Option<Waker> {
        if let Some(index) = key.index() {
            let waiter = &mut self.waiters[index as usize];
            debug_assert!(waiter.waker.is_some(), "a woken waiter does not wait");
            return waiter.waker.replace(waker);
        }
        let previous = self.tail;
        let index = self.waiters.insert(Waiter { waker: Some(waker), next: NONE, previous, note });
        *key = WaitKey::new(index);
        let index = index as u32;
        match previous {
            NONE => self.head = index,
            _ => self.waiters[previous as usize].next = index,
        }
        self.tail = index;
        None
    }

    /// Whether a waiter is not woken yet.
    pub(crate) fn has_waiting(&self) -> bool {
        self.head != NONE
    }

    /// The note of the longest-waiting one.
    pub(crate) fn first(&self) -> Option<N> {
        (self.head != NONE).then(|| self.waiters[self.head as usize].note)
    }

    /// Takes the longest-waiting waker, and gives its waiter another note.
    pub(crate) fn wake_one_with(&mut self, note: N) -> Option<Waker> {
        if self.head != NONE {
            self.waiters[self.head as usize].note = note;
        }
        self.wake_one()
    }

    /// Takes the longest-waiting waker, for the caller to wake.
    #[inline]
    pub(crate) fn wake_one(&mut self) -> Option<Waker> {
        if self.head == NONE { None } else { self.wake_first() }
    }

    fn wake_first(&mut self) -> Option<Waker> {
        let index = self.head;
        self.unlink(index);
        self.waiters[index as usize].waker.take()
    }

    /// Takes all wakers, in their order.
    pub(crate) fn wake_all(&mut self) -> WakeList {
        let mut woken = WakeList::default();
        while let Some(waker) = self.wake_one() {
            woken.extend(Some(waker));
        }
        woken
    }

    /// The notes of woken waiters that are not removed yet.
    pub(crate) fn woken(&mut self) -> impl Iterator<Item = &mut N> {
        let waiters = self.waiters.iter_mut().map(|(_, waiter)| waiter);
        waiters.filter(|waiter| waiter.waker.is_none()).map(|waiter| &mut waiter.note)
    }

    /// Whether `key` waits with a waker for the same task.
    pub(crate) fn will_wake(&self, key: WaitKey, waker: &Waker) -> bool {
        let waiter = key.index().map(|index| &self.waiters[index as usize]);
        waiter.and_then(|waiter| waiter.waker.as_ref()).is_some_and(|old| old.will_wake(waker))
    }

    /// Whether `key` waited and was woken.
    pub(crate) fn is_woken(&self, key: WaitKey) -> bool {
        key.index().is_some_and(|index| self.waiters[index as usize].waker.is_none())
    }

    /// The note of `key`, which is registered.
    pub(crate) fn note(&self, key: WaitKey) -> Option<N> {
        key.index().map(|index| self.waiters[index as usize].note)
    }

    /// Removes the waiter of `key` if it was woken. Returns whether it was.
    pub(crate) fn take_woken(&mut self, key: &mut WaitKey) -> bool {
        let was_woken = self.is_woken(*key);
        if was_woken {
            self.remove(key);
        }
        was_woken
    }

    /// Removes a waiter. Returns its waker; none, if it was woken or never waited.
    pub(crate) fn remove(&mut self, key: &mut WaitKey) -> Option<Waker> {
        let index = key.index()?;
        *key = WaitKey::default();
        if self.waiters[index as usize].waker.is_some() {
            self.unlink(index);
        }
        self.waiters.remove(index as usize).waker
    }

    fn unlink(&mut self, index: u32) {
        let Waiter { next, previous, .. } = self.waiters[index as usize];
        match previous {
            NONE => self.head = next,
            _ => self.waiters[previous as usize].next = next,
        }
        match next {
            NONE => self.tail = previous,
            _ => self.waiters[next as usize].previous = previous,
        }
    }
}

impl WaitKey {
    fn new(index: usize) -> WaitKey {
        let key = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        assert!(key.is_some(), "2^32 futures wait for one thing");
        WaitKey(key)
    }

    fn index(self) -> Option<u32> {
        self.0.map(|key| key.get() - 1)
    }

    /// Whether it has a waiter.
    pub(crate) fn is_registered(self) -> bool {
        self.0.is_some()
    }
}

/// Futures that wait, first come, first served; each with a note of what it waits for.
pub(crate) struct WaitQueue<N>(RefCell<WaiterList<N>>);

/// Calls of [`WaitQueue::call`] that are still to be made, also if a waker panics.
struct Calls<'a, N, F: FnMut(&mut WaiterList<N>) -> Option<Waker>> {
    waiters: &'a WaitQueue<N>,
    wake_one: F,
}

impl<N: Copy> WaitQueue<N> {
    pub(crate) const fn new() -> WaitQueue<N> {
        WaitQueue(RefCell::new(WaiterList::new()))
    }

    /// Whether somebody waits.
    #[inline]
    pub(crate) fn has_waiting(&self) -> bool {
        self.0.borrow().has_waiting()
    }

    /// `Ready` once `is_ready` says so; joins the queue until then. No user code runs between that
    /// answer and the return: what was seen to be there can be taken.
    pub(crate) fn poll(
        &self,
        key: &mut WaitKey,
        note: N,
        cx: &mut Context<'_>,
        is_ready: impl Fn(WaitKey) -> bool,
    ) -> Poll<()> {
        while !is_ready(*key) {
            if self.0.borrow().will_wake(*key, cx.waker()) {
                return Poll::Pending;
            }
            let waker = cx.waker().clone();
            // Cloning may have brought what is waited for.
            if !is_ready(*key) {
                let old = self.0.borrow_mut().enqueue(key, note, waker);
                drop(old);
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// The note of `key`, if it was woken.
    pub(crate) fn woken(&self, key: WaitKey) -> Option<N> {
        let waiting = self.0.borrow();
        if waiting.is_woken(key) { waiting.note(key) } else { None }
    }

    /// Gives another note to all woken waiters that are not removed yet. Returns the sum of theirs.
    pub(crate) fn revoke(&self, note: N) -> N
    where
        N: Sum,
    {
        self.0.borrow_mut().woken().map(|left| mem::replace(left, note)).sum()
    }

    /// Removes a waiter. Returns its note, if it was woken, and a waker that is to be dropped last.
    pub(crate) fn leave(&self, key: &mut WaitKey) -> (Option<N>, Option<Waker>) {
        let mut waiting = self.0.borrow_mut();
        let note = waiting.note(*key);
        match waiting.remove(key) {
            None => (note, None),
            waker => (None, waker),
        }
    }

    /// Wakes what `wake_one` returns, one after the other, until it returns `None`. A panic of a
    /// waker goes through once the others were woken.
    pub(crate) fn call(&self, wake_one: impl FnMut(&mut WaiterList<N>) -> Option<Waker>) {
        let mut calls = Calls { waiters: self, wake_one };
        while calls.make() {}
        // Its drop is for a panic.
        mem::forget(calls);
    }
}

impl<N, F: FnMut(&mut WaiterList<N>) -> Option<Waker>> Calls<'_, N, F> {
    fn make(&mut self) -> bool {
        let woken = (self.wake_one)(&mut self.waiters.0.borrow_mut());
        let is_some = woken.is_some();
        wake(woken);
        is_some
    }
}

impl<N, F: FnMut(&mut WaiterList<N>) -> Option<Waker>> Drop for Calls<'_, N, F> {
    fn drop(&mut self) {
        until_done(|| self.make());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noop() -> Waker {
        Waker::noop().clone()
    }

    fn waiting(list: &mut WaiterList, n: usize) -> Vec<WaitKey> {
        let mut keys = vec![WaitKey::default(); n];
        for key in &mut keys {
            assert!(list.enqueue_waker(key, noop()).is_none());
        }
        keys
    }

    #[test]
    fn the_longest_waiting_is_woken() {
        let mut list = WaiterList::new();
        let mut keys = waiting(&mut list, 5);
        assert!(list.enqueue_waker(&mut keys[0], noop()).is_some(), "it keeps its place");
        assert!(list.remove(&mut keys[1]).is_some());
        assert!(list.remove(&mut keys[4]).is_some());
        for woken in [0, 2, 3] {
            assert!(!list.is_woken(keys[woken]));
            assert!(list.wake_one().is_some());
            assert!(list.is_woken(keys[woken]));
        }
        assert!(list.wake_one().is_none());
    }

    #[test]
    fn all_waiters_are_woken() {
        let mut list = WaiterList::new();
        let keys = waiting(&mut list, 3);
        assert!(list.wake_one().is_some());
        assert_eq!(list.wake_all().len(), 2);
        assert!(keys.iter().all(|key| list.is_woken(*key)) && list.len() == 3);
        assert_eq!(list.wake_all().len(), 0);
    }

    #[test]
    fn a_woken_waiter_is_taken_once() {
        let mut list = WaiterList::new();
        let mut keys = waiting(&mut list, 2);
        list.wake_one();
        assert!(!list.take_woken(&mut keys[1]) && keys[1].is_registered());
        assert!(list.take_woken(&mut keys[0]) && !keys[0].is_registered());
        assert!(!list.take_woken(&mut keys[0]) && list.len() == 1);
    }

    #[test]
    fn waiters_are_used_again() {
        let mut list = WaiterList::new();
        for _ in 0..100 {
            let mut keys = waiting(&mut list, 3);
            list.wake_one();
            assert!(list.remove(&mut keys[0]).is_none(), "a chosen one has no waker");
            assert!(list.remove(&mut keys[2]).is_some());
            assert!(list.remove(&mut keys[1]).is_some());
            assert!(!keys[1].is_registered());
        }
        assert!(list.len() == 0 && list.waiters.capacity() <= 4);
    }
}
