//! Waiting for a change of a value that a mutex guards.

use std::fmt;
use std::future::poll_fn;

use super::mutex::MutexGuard;
use super::notify_list::NotifyList;

/// Lets tasks that hold a [`Mutex`](super::Mutex) wait until another one has changed its value:
/// asyncio's `Condition`.
///
/// A notification may be spurious: who goes on looks at the value again, which is what
/// [`wait_for`](Condvar::wait_for) does. Who notifies need not hold the mutex.
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
#[doc(alias = "Condition")]
pub struct Condvar {
    waiters: NotifyList,
}

impl Condvar {
    /// Nobody waits for it.
    pub const fn new() -> Condvar {
        Condvar { waiters: NotifyList::new(false) }
    }

    /// Unlocks the mutex, waits to be notified, and locks it again. Nothing comes between the
    /// unlocking and the waiting.
    ///
    /// # Cancel safety
    ///
    /// The guard goes with the future: the mutex is unlocked, and stays so. A future that was
    /// notified, and is dropped before it has locked the mutex again, passes the notification on to
    /// who waited longest, as asyncio does; if nobody else waits, it is lost.
    pub async fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let mutex = guard.mutex();
        let (mut wait, mut guard) = (self.waiters.wait(), Some(guard));
        poll_fn(|cx| {
            let rung = wait.poll_notified(cx);
            // It listens now; so if this wakes somebody who notifies, it hears that.
            drop(guard.take());
            rung
        })
        .await;
        let guard = mutex.lock().await;
        wait.consume();
        guard
    }

    /// Waits until `is_true` says so of the value: asks at first, and whenever it was notified.
    ///
    /// # Cancel safety
    ///
    /// That of [`wait`](Condvar::wait).
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

    /// Notifies who waited longest. Nothing happens if nobody waits.
    #[doc(alias = "notify")]
    pub fn notify_one(&self) {
        self.notify_n(1);
    }

    /// Notifies the `n` who waited longest, or all, if they are fewer.
    #[doc(alias = "notify")]
    pub fn notify_n(&self, n: usize) {
        self.waiters.notify(n);
    }

    /// Notifies all who wait.
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
