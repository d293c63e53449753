//! The waker of the task that awaits an output, in one word of the record.
//!
//! A waker of this crate is an integer, which is the word. A waker of another crate lies in a table
//! of the thread, and the word is its key: no loop has the id 0, so the two kinds differ.
//! Invariant: each entry of the table belongs to one `Waiter`, which removes it.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::task::Waker;

use slab::Slab;

use crate::current::WakerId;

/// A slot for the waker of one task.
pub(crate) struct Waiter(Cell<WakerId>);

thread_local! {
    /// The wakers of other crates. Empty, it holds no memory, since it is never dropped.
    static OTHERS: ManuallyDrop<RefCell<Slab<Waker>>> =
        const { ManuallyDrop::new(RefCell::new(Slab::new())) };
}

impl Waiter {
    #[inline]
    pub(super) fn new() -> Waiter {
        Waiter(Cell::new(WakerId::NONE))
    }

    #[inline]
    pub(super) fn is_set(&self) -> bool {
        self.0.get() != WakerId::NONE
    }

    /// Returns the task that the waker wakes, if it is a waker of this crate.
    #[inline]
    pub(super) fn task(&self) -> Option<WakerId> {
        Some(self.0.get()).filter(|id| id.in_loop() > 0)
    }

    /// Stores the waker of a task of this crate.
    #[inline]
    pub(super) fn set_task(&self, id: WakerId) {
        let old = self.0.replace(id);
        if let Some(key) = key(old) {
            drop(remove(key));
        }
    }

    /// Stores a clone of a waker of another crate, unless the stored one wakes the same task.
    /// Cloning and dropping it is user code.
    #[cold]
    pub(super) fn set_other(&self, waker: &Waker) {
        let stored = key(self.0.get());
        let is_stored = OTHERS.with(|others| {
            let others = others.borrow();
            stored.and_then(|key| others.get(key)).is_some_and(|old| old.will_wake(waker))
        });
        if is_stored {
            return;
        }
        let waker = waker.clone();
        let key = OTHERS.with(|others| others.borrow_mut().insert(waker));
        let id = WakerId::from_word(key + 1);
        assert_eq!(id.in_loop(), 0, "too many wakers of other crates wait for tasks");
        self.set_task(id);
    }

    /// Takes the waker, if it is one of another crate.
    #[inline]
    pub(super) fn take_other(&self) -> Option<Waker> {
        let key = key(self.0.get())?;
        self.0.set(WakerId::NONE);
        remove(key)
    }

    /// Drops the waker.
    #[inline]
    pub(super) fn clear(&self) {
        if self.is_set() {
            self.set_task(WakerId::NONE);
        }
    }
}

/// Returns the key in the table, if the word is one.
#[inline]
fn key(id: WakerId) -> Option<usize> {
    if id == WakerId::NONE || id.in_loop() > 0 { None } else { Some(id.word() - 1) }
}

#[cold]
fn remove(key: usize) -> Option<Waker> {
    OTHERS.with(|others| {
        let mut others = others.borrow_mut();
        let removed = others.try_remove(key);
        if others.is_empty() {
            *others = Slab::new();
        }
        removed
    })
}

impl Drop for Waiter {
    #[inline]
    fn drop(&mut self) {
        if let Some(key) = key(self.0.get()) {
            drop(remove(key));
        }
    }
}
