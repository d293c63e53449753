//! Something that has happened, or not yet.

use std::cell::Cell;
use std::fmt;

use super::notify_list::NotifyList;
use crate::current::budget;

/// A flag for which tasks wait: asyncio's and threading's `Event`.
///
/// It is a level, not an edge: it stays set until it is cleared, and whoever waits meanwhile goes
/// on at once. Waiting counts towards the operations that a poll of a task may complete, so that a
/// task which waits in a loop for an event that is set lets the others run.
///
/// ```
/// use std::rc::Rc;
/// use evloop::sync::Event;
///
/// evloop::block_on(async {
///     let ready = Rc::new(Event::new());
///     let started = ready.clone();
///     let task = evloop::spawn(async move {
///         started.wait().await;
///         "go"
///     });
///     ready.set();
///     assert_eq!(task.await.unwrap(), "go");
///     ready.wait().await; // at once
/// });
/// ```
pub struct Event {
    is_set: Cell<bool>,
    waiters: NotifyList,
}

impl Event {
    /// An event that is not set.
    pub const fn new() -> Event {
        Event { is_set: Cell::new(false), waiters: NotifyList::new(false) }
    }

    /// Sets the event: all who wait go on, in the order in which they came; also if it is cleared
    /// before they do.
    pub fn set(&self) {
        self.is_set.set(true);
        self.waiters.notify_all();
    }

    /// Clears the event: who waits from now on waits for the next [`set`](Event::set).
    pub fn clear(&self) {
        self.is_set.set(false);
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.is_set.get()
    }

    /// Waits until the event is set.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub async fn wait(&self) {
        if !self.is_set.get() {
            return self.waiters.wait().await;
        }
        budget::unit().await;
    }
}

impl Default for Event {
    fn default() -> Event {
        Event::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("is_set", &self.is_set()).finish_non_exhaustive()
    }
}
