//! A flag that tasks wait for.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::notify_list::NotifyList;
use crate::current::{budget, leaf};

/// A flag that tasks wait for: asyncio's and threading's `Event`.
///
/// The flag stays set until it is cleared, and a task that waits for a set flag continues at once.
/// Waiting counts towards the budget of a task's poll, so that a task which waits in a loop for a
/// set flag lets other tasks run.
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
    /// Creates an event that is not set.
    pub const fn new() -> Event {
        Event { is_set: Cell::new(false), waiters: NotifyList::new(false) }
    }

    /// Sets the event. All waiting tasks continue, in the order in which they began to wait, even
    /// if the event is cleared before they run.
    pub fn set(&self) {
        self.is_set.set(true);
        self.waiters.notify_all();
    }

    /// Clears the event: a task that waits from now on waits for the next [`set`](Event::set).
    pub fn clear(&self) {
        self.is_set.set(false);
    }

    /// Returns whether the event is set.
    #[doc(alias = "isSet")]
    pub fn is_set(&self) -> bool {
        self.is_set.get()
    }

    /// Returns the number of tasks that wait for the event. Counts them one by one.
    #[doc(alias = "tasks_waiting")]
    pub fn waiting(&self) -> usize {
        self.waiters.waiting()
    }

    /// Waits until the event is set.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub fn wait(&self) -> impl Future<Output = ()> {
        let mut wait = None;
        leaf(move |cx| {
            let wait =
                wait.get_or_insert_with(|| (!self.is_set.get()).then(|| self.waiters.wait()));
            match wait {
                Some(wait) => Pin::new(wait).poll(cx),
                None => budget::poll_unit(cx),
            }
        })
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
