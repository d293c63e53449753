//! How a child of a scope gets its turns.
//!
//! A scope polls its children, and the scope's task polls the scope. So a child may borrow from the
//! task. A waker can name only a slot of the run queue, so each child has a slot. The turn of the
//! slot marks the child as ready and wakes the scope. Invariant: a child is marked at most once
//! between two of its polls.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;

use super::header::{Flag, Header};
use super::join_error::JoinError;
use super::task_output::RunBy;
use crate::wait::store_waker;
use crate::world::Here;

/// The scope of a child runs the task.
pub(crate) struct ByScope {
    pub(crate) scope_state: Rc<ScopeState>,
    /// The key of the child in its scope.
    pub(crate) key: u32,
}

/// The state that a scope shares with its child slots.
#[derive(Default)]
pub(crate) struct ScopeState {
    ready: RefCell<ReadyKeys>,
    /// The waker of the task that polls the scope. `None` after it was used.
    scope: Cell<Option<Waker>>,
    /// The scope is being polled. It checks `ready` before it waits, so no wake is needed.
    is_polled: Cell<bool>,
    /// The panic of a child that has no handle.
    panic: Cell<Option<JoinError>>,
    /// The scope has ended.
    has_ended: Cell<bool>,
}

/// The keys of the ready children, in the order in which they were woken. It may contain keys of
/// children that have ended.
#[derive(Default)]
struct ReadyKeys {
    keys: Vec<u32>,
    /// The number of keys at the front that were taken. They are removed between two polls of the
    /// scope, so that pushing and taking a key cost little.
    taken: usize,
}

impl ReadyKeys {
    fn len(&self) -> usize {
        self.keys.len() - self.taken
    }

    fn take(&mut self) -> Option<u32> {
        let key = *self.keys.get(self.taken)?;
        self.taken += 1;
        Some(key)
    }

    /// Brings the key that is `place` places behind the first one to the front.
    fn bring_forward(&mut self, place: usize) {
        self.keys[self.taken..=self.taken + place].rotate_right(1);
    }

    /// Removes the taken keys if they are the greater part: so the cost is amortized.
    fn shrink(&mut self) {
        if self.taken > self.keys.len() / 2 {
            self.keys.drain(..self.taken);
            self.taken = 0;
        }
    }
}

impl ScopeState {
    /// Marks the child at `key` as ready, and wakes the scope.
    pub(crate) fn mark_ready(&self, child: &Header, key: u32) {
        if !child.has(Flag::IsReady) {
            child.set(Flag::IsReady, true);
            self.ready.borrow_mut().keys.push(key);
        }
        self.wake();
    }

    /// Begins a poll of the scope, which lasts until [`ScopeState::end_poll`].
    pub(crate) fn begin_poll(&self, waker: &Waker) {
        self.is_polled.set(true);
        self.ready.borrow_mut().shrink();
        store_waker(&self.scope, waker);
    }

    pub(crate) fn end_poll(&self) {
        self.is_polled.set(false);
    }

    /// Wakes the scope, so that it checks its children.
    pub(crate) fn wake(&self) {
        if self.is_polled.get() {
            return;
        }
        if let Some(scope) = self.scope.take() {
            scope.wake();
        }
    }

    /// Returns the number of ready children.
    pub(crate) fn ready(&self) -> usize {
        self.ready.borrow().len()
    }

    /// In a simulated world: brings the child to the front that the seed chooses. Returns how many
    /// children the scope runs in its poll: one, as a turn of a host polls one task; all of them
    /// where the order is first in, first out.
    #[cold]
    pub(crate) fn choose(&self, here: Here) -> usize {
        let mut ready = self.ready.borrow_mut();
        match here.choose(ready.len()) {
            None => ready.len(),
            Some(chosen) => {
                ready.bring_forward(chosen);
                1
            }
        }
    }

    /// Takes the key of the longest-waiting ready child.
    #[inline]
    pub(crate) fn take_ready(&self) -> Option<u32> {
        self.ready.borrow_mut().take()
    }

    /// Stores the panic of a child that has no handle, and wakes the scope. Returns the panic if
    /// the scope has ended, or already stores an earlier one.
    pub(crate) fn fail(&self, panic: JoinError) -> Option<JoinError> {
        if self.has_ended.get() {
            return Some(panic);
        }
        let earlier = self.panic.take();
        let (first, unhandled) = match earlier {
            Some(earlier) => (earlier, Some(panic)),
            None => (panic, None),
        };
        self.panic.set(Some(first));
        self.wake();
        unhandled
    }

    pub(crate) fn take_panic(&self) -> Option<JoinError> {
        self.panic.take()
    }

    /// Ends the scope: clears the ready children. Returns a stored panic.
    pub(crate) fn end(&self) -> Option<JoinError> {
        self.has_ended.set(true);
        drop(self.scope.take());
        self.ready.take();
        self.panic.take()
    }
}

impl<T> RunBy<T> for ByScope {
    /// Always `false`: the output of a child may borrow, so its type has no `TypeId`.
    fn knows_errors() -> bool {
        false
    }

    fn error_in(_: &T) -> Option<String> {
        None
    }
}
