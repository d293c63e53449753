//! The slots in the run queue that stand for the children of a scope.
//!
//! A child is polled by its scope, which is polled by its task: only so may it borrow what the task
//! owns. A waker can name nothing but a slot, so each child has one, with a `ChildSlot` in it: when
//! its turn comes, that marks the child as ready, and wakes the scope. Invariant: a child is marked
//! at most once between two of its polls.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Waker;

use super::join_error::JoinError;
use super::runnable::{RunOutcome, Runnable};
use super::task_info::{Header, Record};
use crate::caught::Caught;
use crate::current;
use crate::wait::keep;

/// Stands for one child.
pub(crate) struct ChildSlot {
    header: Header,
    scope_state: Rc<ScopeState>,
    /// Of the child in its scope.
    key: usize,
}

/// What the child slots of a scope and the scope share.
#[derive(Default)]
pub(crate) struct ScopeState {
    /// The keys of the children that are to run, in the order in which they were woken. One may be
    /// of a child that has ended.
    ready: RefCell<VecDeque<usize>>,
    /// Of who polls the scope; gone once it was used.
    scope: Cell<Option<Waker>>,
    /// The scope is being polled, and will look here before it waits.
    is_polled: Cell<bool>,
    /// The panic of a child that nobody awaits.
    panic: Cell<Option<JoinError>>,
    /// The scope has ended.
    is_over: Cell<bool>,
}

impl ChildSlot {
    pub(crate) fn new(header: Header, scope_state: Rc<ScopeState>, key: usize) -> Rc<ChildSlot> {
        Rc::new(ChildSlot { header, scope_state, key })
    }

    pub(crate) fn scope_state(&self) -> &ScopeState {
        &self.scope_state
    }

    /// The child is to run.
    pub(crate) fn mark_ready(&self) {
        if !self.header.is_ready.replace(true) {
            self.scope_state.ready.borrow_mut().push_back(self.key);
        }
        self.scope_state.wake();
    }
}

impl ScopeState {
    /// The scope is being polled, until [`ScopeState::end_poll`].
    pub(crate) fn begin_poll(&self, waker: &Waker) {
        self.is_polled.set(true);
        keep(&self.scope, waker);
    }

    pub(crate) fn end_poll(&self) {
        self.is_polled.set(false);
    }

    /// Makes the scope look here.
    pub(crate) fn wake(&self) {
        if self.is_polled.get() {
            return;
        }
        if let Some(scope) = self.scope.take() {
            scope.wake();
        }
    }

    /// How many children are to run.
    pub(crate) fn ready(&self) -> usize {
        self.ready.borrow().len()
    }

    /// Takes the child that waited longest.
    pub(crate) fn take_ready(&self) -> Option<usize> {
        self.ready.borrow_mut().pop_front()
    }

    /// Leaves the panic of a child that nobody awaits to the scope, unless that has one, or has
    /// ended: then it comes back.
    pub(crate) fn fail(&self, panic: JoinError) -> Option<JoinError> {
        if self.is_over.get() {
            return Some(panic);
        }
        let earlier = self.panic.take();
        let (kept, left) = match earlier {
            Some(earlier) => (earlier, Some(panic)),
            None => (panic, None),
        };
        self.panic.set(Some(kept));
        self.wake();
        left
    }

    pub(crate) fn take_panic(&self) -> Option<JoinError> {
        self.panic.take()
    }

    /// The scope ends. Ready children are forgotten; a panic is returned.
    pub(crate) fn end(&self) -> Option<JoinError> {
        self.is_over.set(true);
        drop(self.scope.take());
        self.ready.take();
        self.panic.take()
    }
}

impl<T> Record<T> for Rc<ChildSlot> {
    fn header(&self) -> &Header {
        Runnable::header(&**self)
    }

    /// None can be told: a child's output may borrow, and so is of no type that could be known.
    fn error_in(&self, _: &T) -> Option<String> {
        None
    }
}

impl Runnable for ChildSlot {
    fn header(&self) -> &Header {
        &self.header
    }

    fn run(&self) -> RunOutcome {
        current::begin_task(self.header.id);
        self.mark_ready();
        RunOutcome::Delegated
    }

    fn recover(&self, panic: Caught) -> Result<(), Caught> {
        // It was the waker of who polls the scope that panicked.
        Err(panic)
    }

    fn discard(&self) -> Option<JoinError> {
        None
    }
}
