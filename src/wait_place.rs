//! L0: the place of one future in a wait list, left when the future is dropped.
//!
//! Invariant: the list is borrowed only here and for single steps, never while a waker is cloned,
//! woken or dropped.

use std::cell::RefCell;
use std::task::{Context, Poll};

use crate::current::{self, WaitsFor};
use crate::wait_list::{WaitKey, WaitList};

/// A future's place in a [`WaitList`], once it waits.
#[derive(Debug)]
pub(crate) struct WaitPlace<'a> {
    list: &'a RefCell<WaitList>,
    key: WaitKey,
}

impl<'a> WaitPlace<'a> {
    pub(crate) fn new(list: &'a RefCell<WaitList>) -> WaitPlace<'a> {
        WaitPlace { list, key: WaitKey::default() }
    }

    /// Waits until `look` has an answer.
    pub(crate) fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        mut look: impl FnMut(&mut WaitPlace<'a>) -> Option<R>,
    ) -> Poll<R> {
        if let Some(answer) = look(self) {
            return Poll::Ready(answer);
        }
        if self.has_place() && self.list.borrow().will_wake(self.key, cx.waker()) {
            return current::pending(WaitsFor::Channel);
        }
        let waker = cx.waker().clone();
        // Looked at again: cloning a waker is foreign, and may have done what is waited for.
        if let Some(answer) = look(self) {
            return Poll::Ready(answer);
        }
        let old = self.list.borrow_mut().wait(&mut self.key, waker);
        drop(old);
        current::pending(WaitsFor::Channel)
    }

    pub(crate) fn has_place(&self) -> bool {
        self.key.has_place()
    }

    /// Leaves the list if it was chosen from it. Says whether it was.
    pub(crate) fn take_chosen(&mut self) -> bool {
        self.list.borrow().is_chosen(self.key) && self.leave()
    }

    /// Leaves the list. Says whether it was chosen from it.
    pub(crate) fn leave(&mut self) -> bool {
        if !self.has_place() {
            return false;
        }
        let mut list = self.list.borrow_mut();
        let was_chosen = list.is_chosen(self.key);
        let waker = list.remove(&mut self.key);
        drop(list);
        drop(waker);
        was_chosen
    }

    /// The list was replaced, and the place went with it.
    pub(crate) fn forget(&mut self) {
        self.key = WaitKey::default();
    }
}

impl Drop for WaitPlace<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}
