//! The futures that wait, and gates: what is known of them from outside.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Instant;

use super::world::World;

/// Where tasks wait for each other, by wakers that go to any thread.
#[derive(Default)]
pub struct Gate {
    /// Set before the wakes, so that no waiter is lost.
    pub is_open: Cell<bool>,
    pub wakers: RefCell<Vec<Waker>>,
    /// All wakes were made, perhaps on another thread.
    pub is_rung: Arc<AtomicUsize>,
}

/// A future that waits, as long as it lives.
pub struct Wait {
    pub what: String,
    /// Somebody polls it when it is woken.
    pub is_attended: bool,
    pub is_limit: bool,
    pub deadline: Option<Instant>,
    /// Whether it has no more to wait for.
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
