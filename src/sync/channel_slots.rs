//! The slots of an [`mpsc`](super::mpsc) channel or a [`thread_channel`](super::thread_channel),
//! and the senders that wait for one.
//!
//! Pure: wakers are returned, and the caller wakes or drops them after its borrow has ended.
//! Invariant: a slot is free only while no sender waits for one.

use std::mem;
use std::task::Waker;

use crate::wait::{WaitKey, WaiterList, WakeList};

/// The slots without a value.
pub(super) struct Slots {
    pub(super) free: usize,
    /// Slots of permits.
    pub(super) reserved: usize,
    /// Slots that are assigned to senders: to woken ones, and to the longest-waiting one if it
    /// wants more.
    assigned: usize,
    /// Senders that wait for slots. Empty once the channel is closed.
    pub(super) waiting: WaiterList<Wanted>,
}

/// What a sender waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    slots: usize,
    /// Slots that are not assigned to it yet.
    missing: usize,
}

impl Slots {
    pub(super) fn new(free: usize) -> Slots {
        Slots { free, reserved: 0, assigned: 0, waiting: WaiterList::new() }
    }

    /// Takes free slots, or, if `key` is registered, the slots that it waited for.
    #[inline]
    pub(super) fn try_take(&mut self, key: &mut WaitKey, slots: usize) -> bool {
        if key.is_registered() {
            let was_woken = self.waiting.take_woken(key);
            self.assigned -= if was_woken { slots } else { 0 };
            return was_woken;
        }
        if self.free < slots {
            return false;
        }
        self.free -= slots;
        true
    }

    /// Appends a sender to the wait queue, and assigns the free slots to it; if `key` waits
    /// already, replaces its waker and returns the old one.
    #[inline]
    pub(super) fn enqueue(
        &mut self,
        key: &mut WaitKey,
        slots: usize,
        waker: Waker,
    ) -> Option<Waker> {
        let given = mem::take(&mut self.free);
        self.assigned += given;
        self.waiting.enqueue(key, Wanted { slots, missing: slots - given }, waker)
    }

    /// Removes a sender, waiting or woken, from the wait queue. Releases the slots that were
    /// assigned to it, and returns the wakers to be woken, and the sender's own.
    pub(super) fn remove(&mut self, key: &mut WaitKey) -> (WakeList, Option<Waker>) {
        let wanted = self.waiting.data(*key);
        let given = wanted.map_or(0, |wanted| wanted.slots - wanted.missing);
        let waker = self.waiting.remove(key);
        self.assigned -= given;
        (self.release_many(given), waker)
    }

    /// Assigns a slot to the longest-waiting sender, or frees the slot. Returns the sender's waker,
    /// to be woken, if the sender has all slots that it wants.
    #[inline]
    pub(super) fn release(&mut self) -> Option<Waker> {
        if !self.waiting.has_waiting() {
            self.free += 1;
            return None;
        }
        self.assign_one()
    }

    /// Assigns slots to the longest-waiting senders, and frees those that are left.
    pub(super) fn release_many(&mut self, mut slots: usize) -> WakeList {
        let mut woken = WakeList::default();
        while slots > 0 && self.waiting.has_waiting() {
            woken.extend(self.assign(&mut slots));
        }
        self.free += slots;
        woken
    }

    #[inline]
    fn assign_one(&mut self) -> Option<Waker> {
        let wanted = self.waiting.first_mut()?;
        wanted.missing -= 1;
        let has_all = wanted.missing == 0;
        self.assigned += 1;
        if has_all { self.waiting.wake_one() } else { None }
    }

    /// Assigns up to `slots` slots to the longest-waiting sender.
    fn assign(&mut self, slots: &mut usize) -> Option<Waker> {
        let wanted = self.waiting.first_mut()?;
        let given = wanted.missing.min(*slots);
        wanted.missing -= given;
        let has_all = wanted.missing == 0;
        *slots -= given;
        self.assigned += given;
        if has_all { self.waiting.wake_one() } else { None }
    }

    /// Removes the waiting senders, and frees the slots that were assigned to them: those senders
    /// will find the channel closed, and never release the slots.
    pub(super) fn close(&mut self) -> WakeList {
        self.free += mem::take(&mut self.assigned);
        mem::replace(&mut self.waiting, WaiterList::new()).wake_all()
    }

    /// Returns the number of all slots without a value.
    pub(super) fn without_value(&self) -> usize {
        self.free + self.reserved + self.assigned
    }
}
