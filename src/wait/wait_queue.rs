//! The futures that wait for one event, first in first out.
//!
//! Removing a waiter takes O(1) at any position. The memory of waiters is reused, so waiting
//! allocates nothing once the list has grown. Pure: wakers are returned, and the caller wakes or
//! drops them after its borrow has ended. Invariant: a waiter belongs to one future, from its first
//! wait until it is removed, and is in the queue until it is woken.

use std::cell::RefCell;
use std::mem;
use std::num::NonZeroU32;
use std::ops::AddAssign;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use super::wake_list::{WakeList, wake};
use crate::caught::until_done;

/// A queue of waiting futures, each with data of type `D`, such as the permits it requests.
#[derive(Debug)]
pub(crate) struct WaiterList<D = ()> {
    waiters: Slab<Waiter<D>>,
    head: u32,
    tail: u32,
}

#[derive(Debug)]
struct Waiter<D> {
    /// `None`: the waiter was woken, and has left the queue.
    waker: Option<Waker>,
    next: u32,
    previous: u32,
    data: D,
}

/// The key of a future's waiter in a [`WaiterList`]. Empty until the future waits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WaitKey(Option<NonZeroU32>);

/// The index that means "no waiter".
const NONE: u32 = u32::MAX;

impl WaiterList {
    /// Appends a waiter to the queue; if `key` waits already, replaces its waker and returns the
    /// old one.
    pub(crate) fn enqueue_waker(&mut self, key: &mut WaitKey, waker: Waker) -> Option<Waker> {
        self.enqueue(key, (), waker)
    }
}

impl<D: Copy> WaiterList<D> {
    pub(crate) const fn new() -> WaiterList<D> {
        WaiterList { waiters: Slab::new(), head: NONE, tail: NONE }
    }

    /// Like `enqueue_waker`, with data. A future that waits already keeps its first data.
    pub(crate) fn enqueue(&mut self, key: &mut WaitKey, data: D, waker: Waker) -> Option<Waker> {
        if let Some(index) = key.index() {
            let waiter = &mut self.waiters[index as usize];
            debug_assert!(waiter.waker.is_some(), "a woken waiter does not wait");
            return waiter.waker.replace(waker);
        }
        let previous = self.tail;
        let index = self.waiters.insert(Waiter { waker: Some(waker), next: NONE, previous, data });
        *key = WaitKey::new(index);
        let index = index as u32;
        match previous {
            NONE => self.head = index,
            _ => self.waiters[previous as usize].next = index,
        }
        self.tail = index;
        None
    }

    /// Returns whether a waiter is not woken yet.
    pub(crate) fn has_waiting(&self) -> bool {
        self.head != NONE
    }

    /// Returns the data of the longest-waiting waiter.
    pub(crate) fn first(&self) -> Option<D> {
        (self.head != NONE).then(|| self.waiters[self.head as usize].data)
    }

    /// Returns the data of the longest-waiting waiter, to be changed.
    pub(crate) fn first_mut(&mut self) -> Option<&mut D> {
        (self.head != NONE).then(|| &mut self.waiters[self.head as usize].data)
    }

    /// Returns the data of the waiter that began to wait last.
    pub(crate) fn last(&self) -> Option<D> {
        (self.tail != NONE).then(|| self.waiters[self.tail as usize].data)
    }

    /// Returns the number of waiters that are not woken yet, counted one by one.
    pub(crate) fn waiting(&self) -> usize {
        self.count(|_| true)
    }

    fn count(&self, is_counted: impl Fn(D) -> bool) -> usize {
        let mut count = 0;
        for (_, waiter) in &self.waiters {
            count += usize::from(waiter.waker.is_some() && is_counted(waiter.data));
        }
        count
    }

    /// Takes the longest-waiting waker, and replaces the data of its waiter.
    pub(crate) fn wake_one_with(&mut self, data: D) -> Option<Waker> {
        if self.head != NONE {
            self.waiters[self.head as usize].data = data;
        }
        self.wake_one()
    }

    /// Takes the longest-waiting waker, for the caller to wake.
    #[inline]
    pub(crate) fn wake_one(&mut self) -> Option<Waker> {
        if self.head == NONE { None } else { self.wake(self.head) }
    }

    /// Takes the waker of the waiter that began to wait last, and replaces the data of the waiter.
    pub(crate) fn wake_last_with(&mut self, data: D) -> Option<Waker> {
        if self.tail == NONE {
            return None;
        }
        self.waiters[self.tail as usize].data = data;
        self.wake(self.tail)
    }

    fn wake(&mut self, index: u32) -> Option<Waker> {
        self.unlink(index);
        self.waiters[index as usize].waker.take()
    }

    /// Takes all wakers, the longest-waiting first.
    pub(crate) fn wake_all(&mut self) -> WakeList {
        let mut woken = WakeList::default();
        while let Some(waker) = self.wake_one() {
            woken.extend(Some(waker));
        }
        woken
    }

    /// Returns whether `key` waits with a waker of the same task.
    pub(crate) fn will_wake(&self, key: WaitKey, waker: &Waker) -> bool {
        let waiter = key.index().map(|index| &self.waiters[index as usize]);
        waiter.and_then(|waiter| waiter.waker.as_ref()).is_some_and(|old| old.will_wake(waker))
    }

    /// Returns whether `key` waited and was woken.
    pub(crate) fn is_woken(&self, key: WaitKey) -> bool {
        key.index().is_some_and(|index| self.waiters[index as usize].waker.is_none())
    }

    /// Returns the data of `key`, if it has a waiter.
    pub(crate) fn data(&self, key: WaitKey) -> Option<D> {
        key.index().map(|index| self.waiters[index as usize].data)
    }

    /// Removes the waiter of `key` if it was woken. Returns whether it was woken.
    #[inline]
    pub(crate) fn take_woken(&mut self, key: &mut WaitKey) -> bool {
        let woken = key.index().filter(|index| self.waiters[*index as usize].waker.is_none());
        let Some(index) = woken else { return false };
        *key = WaitKey::default();
        self.waiters.remove(index as usize);
        true
    }

    /// Removes a waiter. Returns its waker; `None` if it was woken or never waited.
    pub(crate) fn remove(&mut self, key: &mut WaitKey) -> Option<Waker> {
        let index = key.index()?;
        *key = WaitKey::default();
        if self.waiters[index as usize].waker.is_some() {
            self.unlink(index);
        }
        self.waiters.remove(index as usize).waker
    }

    /// Moves a waiting waiter to the head of the queue.
    fn move_first(&mut self, key: WaitKey) {
        let Some(index) = key.index().filter(|index| *index != self.head) else { return };
        self.unlink(index);
        let waiter = &mut self.waiters[index as usize];
        (waiter.previous, waiter.next) = (NONE, self.head);
        self.waiters[self.head as usize].previous = index;
        self.head = index;
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
        assert!(key.is_some(), "too many futures wait for one event: 2^32 are the limit");
        WaitKey(key)
    }

    fn index(self) -> Option<u32> {
        self.0.map(|key| key.get() - 1)
    }

    /// Returns whether the key has a waiter.
    pub(crate) fn is_registered(self) -> bool {
        self.0.is_some()
    }
}

/// A [`WaiterList`] in a `RefCell`, which is never borrowed while a waker is called.
pub(crate) struct WaitQueue<D>(RefCell<WaiterList<D>>);

/// The remaining calls of [`WaitQueue::call`]. Its drop makes them after the panic of a waker.
struct Calls<'a, D, F: FnMut(&mut WaiterList<D>) -> Option<Waker>> {
    waiters: &'a WaitQueue<D>,
    wake_one: F,
}

impl<D: Copy> WaitQueue<D> {
    pub(crate) const fn new() -> WaitQueue<D> {
        WaitQueue(RefCell::new(WaiterList::new()))
    }

    /// Returns whether a future waits.
    #[inline]
    pub(crate) fn has_waiting(&self) -> bool {
        self.0.borrow().has_waiting()
    }

    /// Returns `Ready` if `is_ready` returns `true`; enqueues the waker otherwise. No user code
    /// runs between that `true` and the return, so the caller can take what `is_ready` found.
    pub(crate) fn poll(
        &self,
        key: &mut WaitKey,
        data: D,
        cx: &mut Context<'_>,
        is_ready: impl Fn(WaitKey) -> bool,
    ) -> Poll<()> {
        while !is_ready(*key) {
            if self.0.borrow().will_wake(*key, cx.waker()) {
                return Poll::Pending;
            }
            let waker = cx.waker().clone();
            // Cloning is user code: it may have caused the event that the future waits for.
            if !is_ready(*key) {
                let old = self.0.borrow_mut().enqueue(key, data, waker);
                drop(old);
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// Moves a waiting future to the head of the queue.
    pub(crate) fn move_first(&self, key: WaitKey) {
        self.0.borrow_mut().move_first(key);
    }

    /// Returns the number of futures that wait, are not woken yet, and have data that `is_counted`
    /// accepts, counted one by one.
    pub(crate) fn count(&self, is_counted: impl Fn(D) -> bool) -> usize {
        self.0.borrow().count(is_counted)
    }

    /// Appends a future, waiting or woken, that has no waker yet.
    pub(crate) fn enqueue(&self, key: &mut WaitKey, data: D, is_woken: bool) {
        let mut list = self.0.borrow_mut();
        // The clone of the no-op waker is no user code, nor is its drop.
        list.enqueue(key, data, Waker::noop().clone());
        if is_woken {
            list.wake_last_with(data);
        }
    }

    /// Wakes the future that began to wait last, and replaces its data, if `is_due` accepts the old
    /// data. Returns whether it did.
    pub(crate) fn wake_last(&self, data: D, is_due: impl FnOnce(D) -> bool) -> bool {
        let mut list = self.0.borrow_mut();
        let woken = if list.last().is_some_and(is_due) { list.wake_last_with(data) } else { None };
        drop(list);
        let is_some = woken.is_some();
        wake(woken);
        is_some
    }

    /// Returns the data of `key`, if it was woken.
    pub(crate) fn woken(&self, key: WaitKey) -> Option<D> {
        let waiting = self.0.borrow();
        if waiting.is_woken(key) { waiting.data(key) } else { None }
    }

    /// Replaces the data of all woken waiters that are not removed yet. Returns the sum of the old
    /// data.
    pub(crate) fn revoke(&self, data: D) -> D
    where
        D: Default + AddAssign,
    {
        let mut revoked = D::default();
        for (_, waiter) in self.0.borrow_mut().waiters.iter_mut() {
            if waiter.waker.is_none() {
                revoked += mem::replace(&mut waiter.data, data);
            }
        }
        revoked
    }

    /// Removes a waiter. Returns its data if it was woken, and its waker, which the caller must
    /// drop last.
    pub(crate) fn deregister(&self, key: &mut WaitKey) -> (Option<D>, Option<Waker>) {
        let mut waiting = self.0.borrow_mut();
        let data = waiting.data(*key);
        match waiting.remove(key) {
            None => (data, None),
            waker => (None, waker),
        }
    }

    /// Wakes the wakers that `wake_one` returns, one by one, until it returns `None`. A panic of a
    /// waker is propagated after the others were woken.
    pub(crate) fn call(&self, wake_one: impl FnMut(&mut WaiterList<D>) -> Option<Waker>) {
        let mut calls = Calls { waiters: self, wake_one };
        while calls.make() {}
        // The drop is needed only after a panic.
        mem::forget(calls);
    }
}

impl<D, F: FnMut(&mut WaiterList<D>) -> Option<Waker>> Calls<'_, D, F> {
    fn make(&mut self) -> bool {
        let woken = (self.wake_one)(&mut self.waiters.0.borrow_mut());
        let is_some = woken.is_some();
        wake(woken);
        is_some
    }
}

impl<D, F: FnMut(&mut WaiterList<D>) -> Option<Waker>> Drop for Calls<'_, D, F> {
    fn drop(&mut self) {
        until_done(&mut || self.make());
    }
}

#[cfg(test)]
#[path = "wait_queue_tests.rs"]
mod tests;
