//! Waits for a change of a value that a mutex guards.

use std::fmt;
use std::future::poll_fn;

use super::mutex::MutexGuard;
use super::notify_list::NotifyList;

/// Lets tasks that hold a [`Mutex`](super::Mutex) wait until another task has changed its value.
///
/// A notification may be spurious: a task that continues must check the value again, which
/// [`wait_for`](Condvar::wait_for) does. The notifying task need not hold the mutex. This is
/// asyncio's `Condition`, without a mutex of its own.
///
/// ```
/// use std::rc::Rc;
/// use evloop::sync::{Condvar, Mutex};
///
/// evloop::block_on(async {
///     let shared = Rc::new((Mutex::new(Vec::new()), Condvar::new()));
///     let other = shared.clone();
///     let consumer = evloop::spawn(async move {
///         let (items, changed) = &*other;
///         let items = changed.wait_for(items.lock().await, |items| items.len() == 3).await;
///         items.iter().sum::<i32>()
///     });
///     for item in 1..=3 {
///         shared.0.lock().await.push(item);
///         shared.1.notify_one();
///         evloop::task::yield_now().await;
///     }
///     assert_eq!(consumer.await.unwrap(), 6);
/// });
/// ```
pub struct Condvar {
    waiters: NotifyList,
}

impl Condvar {
    /// Creates a condition variable without waiting tasks.
    pub const fn new() -> Condvar {
        Condvar { waiters: NotifyList::new(false) }
    }

    /// Unlocks the mutex, waits for a notification, and locks the mutex again.
    ///
    /// The future is registered before the mutex is unlocked: it misses no notification in between.
    ///
    /// # Cancel safety
    ///
    /// A dropped future drops its guard: the mutex is unlocked, and stays unlocked. A notified
    /// future that is dropped before it has locked the mutex again notifies the longest-waiting
    /// task instead, as in asyncio. If no other task waits, the notification is lost.
    pub async fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let mutex = MutexGuard::mutex(&guard);
        let (mut wait, mut guard) = (self.waiters.wait(), Some(guard));
        poll_fn(|cx| {
            let notified = wait.poll_notified(cx);
            // The wait is registered now: if the unlock wakes a task that notifies, this wait gets
            // the notification.
            drop(guard.take());
            notified
        })
        .await;
        let guard = mutex.lock().await;
        wait.consume();
        guard
    }

    /// Waits until `is_true` returns true for the value. It is called at first, and after each
    /// notification.
    ///
    /// # Cancel safety
    ///
    /// The same as for [`wait`](Condvar::wait).
    pub async fn wait_for<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut is_true: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        while !is_true(&mut guard) {
            guard = self.wait(guard).await;
        }
        guard
    }

    /// Returns the number of tasks that wait for a notification. Counts them one by one.
    #[doc(alias = "tasks_waiting")]
    pub fn waiting(&self) -> usize {
        self.waiters.waiting()
    }

    /// Notifies the longest-waiting task. Does nothing if no task waits.
    #[doc(alias = "notify")]
    pub fn notify_one(&self) {
        self.notify_n(1);
    }

    /// Notifies the `n` longest-waiting tasks, or all if fewer wait.
    #[doc(alias = "notify")]
    pub fn notify_n(&self, n: usize) {
        self.waiters.notify(n);
    }

    /// Notifies all waiting tasks.
    pub fn notify_all(&self) {
        self.waiters.notify_all();
    }
}

impl Default for Condvar {
    fn default() -> Condvar {
        Condvar::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}
