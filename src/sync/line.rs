//! A line of futures: where all the primitives here wait.
//!
//! A waker is foreign code. Cloned, woken or dropped it may come back to the very primitive it is
//! kept by: poll, drop or choose others of the line, join it, or panic. Invariant: none of that
//! happens while the line is borrowed, so whatever it does meets a line that is whole.

use std::cell::RefCell;
use std::iter::Sum;
use std::mem;
use std::task::{Context, Poll, Waker};

use crate::caught::until_done;
use crate::wait_list::{WaitKey, WaitList};
use crate::woken::wake;

/// Futures that wait, first come, first served; each with a note of what it waits for.
pub(crate) struct Line<N>(RefCell<WaitList<N>>);

/// Calls of [`Line::call`] that are still to be made, also if a waker panics.
struct Calls<'a, N, F: FnMut(&mut WaitList<N>) -> Option<Waker>> {
    line: &'a Line<N>,
    choose: F,
}

impl<N: Copy> Line<N> {
    pub(crate) const fn new() -> Line<N> {
        Line(RefCell::new(WaitList::new()))
    }

    /// Whether somebody waits.
    #[inline]
    pub(crate) fn has_waiting(&self) -> bool {
        self.0.borrow().has_waiting()
    }

    /// `Ready` once `is_ready` says so; joins the line until then. Nothing foreign runs between
    /// that answer and the return: what was seen to be there can be taken.
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
                let old = self.0.borrow_mut().wait_for(key, note, waker);
                drop(old);
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// The note that was left for `key`, if it was chosen.
    pub(crate) fn chosen(&self, key: WaitKey) -> Option<N> {
        let waiting = self.0.borrow();
        if waiting.is_chosen(key) { waiting.note(key) } else { None }
    }

    /// Leaves another note for all who were chosen and did not look yet. Returns the sum of theirs.
    pub(crate) fn revoke(&self, note: N) -> N
    where
        N: Sum,
    {
        self.0.borrow_mut().chosen().map(|left| mem::replace(left, note)).sum()
    }

    /// Gives up a place: the note, if it was chosen, and a waker that is to be dropped last.
    pub(crate) fn leave(&self, key: &mut WaitKey) -> (Option<N>, Option<Waker>) {
        let mut waiting = self.0.borrow_mut();
        let note = waiting.note(*key);
        match waiting.remove(key) {
            None => (note, None),
            waker => (None, waker),
        }
    }

    /// Wakes whom `choose` chooses, one after the other, until it chooses nobody. A panic of a
    /// waker goes through once the others were woken.
    pub(crate) fn call(&self, choose: impl FnMut(&mut WaitList<N>) -> Option<Waker>) {
        let mut calls = Calls { line: self, choose };
        while calls.make() {}
        // Its drop is for a panic.
        mem::forget(calls);
    }
}

impl<N, F: FnMut(&mut WaitList<N>) -> Option<Waker>> Calls<'_, N, F> {
    fn make(&mut self) -> bool {
        let chosen = (self.choose)(&mut self.line.0.borrow_mut());
        let is_some = chosen.is_some();
        wake(chosen);
        is_some
    }
}

impl<N, F: FnMut(&mut WaitList<N>) -> Option<Waker>> Drop for Calls<'_, N, F> {
    fn drop(&mut self) {
        until_done(|| self.make());
    }
}
