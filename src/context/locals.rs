//! The values of a loop that `task::Local` names.
//!
//! Invariant: no borrow of the slab is held while a value is used or dropped, since both run user
//! code. A key has one owner, which removes it once: so it needs no generation.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use slab::Slab;

use crate::caught::{Caught, catch};

/// The key of a value that was dropped at once, because the loop ends.
const NONE: usize = usize::MAX;

/// The number of values for which memory is kept after a burst of them.
const KEPT_MAX: usize = 1 << 12;

/// The key of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalId(usize);

/// The values of one loop.
#[derive(Default)]
pub(crate) struct Locals(RefCell<State>);

#[derive(Default)]
struct State {
    values: Slab<Rc<dyn Any>>,
    is_closed: bool,
}

impl Locals {
    /// Stores a value. If the loop ends, drops it.
    pub(crate) fn insert(&self, value: Rc<dyn Any>) -> LocalId {
        let mut state = self.0.borrow_mut();
        if state.is_closed {
            drop(state);
            drop(value);
            return LocalId(NONE);
        }
        LocalId(state.values.insert(value))
    }

    /// Returns a value; `None` after the end of the loop.
    #[inline]
    pub(crate) fn get(&self, id: LocalId) -> Option<Rc<dyn Any>> {
        self.0.borrow().values.get(id.0).cloned()
    }

    /// Removes a value. The caller drops it.
    pub(crate) fn remove(&self, id: LocalId) -> Option<Rc<dyn Any>> {
        let values = &mut self.0.borrow_mut().values;
        let removed = values.try_remove(id.0);
        if values.is_empty() && values.capacity() > KEPT_MAX {
            *values = Slab::new();
        }
        removed
    }

    /// Drops all values, in the order of their keys. Returns the first panic of a destructor.
    pub(crate) fn close(&self) -> Option<Caught> {
        let mut state = self.0.borrow_mut();
        state.is_closed = true;
        let values = std::mem::take(&mut state.values);
        drop(state);
        let mut panic = None;
        for (_, value) in values {
            panic = panic.or(catch(|| drop(value)).err());
        }
        panic
    }
}
