//! Waiting futures and gates, as the test observes them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Instant;

use super::world::World;

/// A gate for which tasks wait. Its wakers may be used on any thread.
#[derive(Default)]
pub struct Gate {
    /// Set before the wakes, so that no waiter is lost.
    pub is_open: Cell<bool>,
    pub wakers: RefCell<Vec<Waker>>,
    /// All wakes have been made, perhaps on another thread.
    pub is_rung: Arc<AtomicUsize>,
}

/// The record of a waiting future, while the future lives.
pub struct Wait {
    pub what: String,
    /// A loop polls it when it is woken.
    pub is_attended: bool,
    pub is_limit: bool,
    pub deadline: Option<Instant>,
    /// Returns whether its event has happened.
    pub is_due: Box<dyn Fn(&World) -> bool>,
    pub waker: RefCell<Option<Waker>>,
    pub due_since: Cell<Option<usize>>,
}

/// Ends a wait.
pub struct Waiting {
    pub world: Rc<World>,
    pub key: usize,
    pub wait: Rc<Wait>,
}

impl Wait {
    pub fn new(what: String, is_attended: bool, is_due: impl Fn(&World) -> bool + 'static) -> Wait {
        Wait {
            what,
            is_attended,
            is_limit: false,
            deadline: None,
            is_due: Box::new(is_due),
            waker: RefCell::default(),
            due_since: Cell::new(None),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let wait = self.world.waits.borrow_mut().remove(&self.key);
        drop(wait);
    }
}

impl Gate {
    pub fn open(&self) -> impl FnOnce() + Send + use<> {
        self.is_open.set(true);
        let wakers = self.wakers.take();
        let is_rung = self.is_rung.clone();
        move || {
            wakers.into_iter().for_each(Waker::wake);
            is_rung.store(1, Ordering::SeqCst);
        }
    }
}
