//! A point where one task waits until others have been polled.
//!
//! It needs no yield: a runtime that puts a self-waking task first would never get there.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Counts arrivals; wakes the one waiter at the last.
#[derive(Default)]
pub struct Gate {
    missing: Cell<u64>,
    waiter: RefCell<Option<Waker>>,
}

impl Gate {
    pub fn new(arrivals: u64) -> Rc<Gate> {
        Rc::new(Gate { missing: Cell::new(arrivals), ..Gate::default() })
    }

    pub fn arrive(&self) {
        self.missing.set(self.missing.get() - 1);
        if self.missing.get() == 0
            && let Some(waiter) = self.waiter.take()
        {
            waiter.wake();
        }
    }

    /// Ready once all have arrived.
    pub async fn wait(&self) {
        poll_fn(|cx| {
            if self.missing.get() == 0 {
                return Poll::Ready(());
            }
            self.waiter.replace(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await
    }
}
