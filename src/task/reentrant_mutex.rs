//! A mutex that its owner can lock again.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::mem;
use std::ops::Deref;

use crate::current::{self, TaskId, leaf, locks};
use crate::sync::TryLockError;
use crate::sync::raw_semaphore::{Acquire, HasSemaphore, RawPermit, RawSemaphore};

/// A mutex that the task which holds it can lock again: threading's `RLock`.
///
/// The owner is the task that is running when the mutex is locked. So a function that locks the
/// mutex can call another one that locks it too. Futures that one task polls together, as `join!`
/// does, are one owner.
///
/// Outside of a task, without a loop or under another executor, there is no owner. There it is a
/// plain mutex, and a future that locks it twice waits for ever.
///
/// An owner may hold several guards, so they return `&T`; put a `Cell` or `RefCell` inside. It is
/// as fair as a [`Mutex`](crate::sync::Mutex): waiters lock it in the order of their requests.
///
/// ```
/// use std::cell::Cell;
/// use evloop::task::ReentrantMutex;
///
/// async fn deposit(account: &ReentrantMutex<Cell<i32>>, amount: i32) {
///     let balance = account.lock().await;
///     balance.set(balance.get() + amount);
/// }
///
/// evloop::block_on(async {
///     let account = ReentrantMutex::new(Cell::new(0));
///     let balance = account.lock().await;
///     deposit(&account, 5).await;
///     assert_eq!(balance.get(), 5);
/// });
/// ```
pub struct ReentrantMutex<T: ?Sized> {
    permits: RawSemaphore,
    /// The task that holds the guards. `None`: no guard exists, or they were taken outside of a
    /// task.
    owner: Cell<Option<TaskId>>,
    guards: Cell<usize>,
    value: T,
}

/// A guard of a locked [`ReentrantMutex`], with access to its value. Dropping the last guard
/// unlocks the mutex.
#[must_use = "a mutex is unlocked when its guards are dropped"]
pub struct ReentrantMutexGuard<'a, T: ?Sized> {
    mutex: &'a ReentrantMutex<T>,
}

impl<T> ReentrantMutex<T> {
    /// Returns an unlocked mutex.
    pub const fn new(value: T) -> ReentrantMutex<T> {
        let (owner, guards) = (Cell::new(None), Cell::new(0));
        ReentrantMutex { permits: RawSemaphore::new(1), owner, guards, value }
    }

    /// Returns the value.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T: ?Sized> ReentrantMutex<T> {
    /// Waits until no other task holds the mutex, and locks it.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped loses its place in the queue, and nothing else.
    #[doc(alias = "acquire")]
    pub fn lock(&self) -> impl Future<Output = ReentrantMutexGuard<'_, T>> {
        let mut acquire = Acquire::new(self, 1);
        leaf(move |cx| {
            if self.is_owned_here() {
                // Leaves the queue: a waiter that stayed there would be handed the mutex and never
                // take it.
                acquire = Acquire::new(self, 1);
                return self.enter().into();
            }
            acquire.poll_lock(cx).map(|taken| self.own(taken))
        })
    }

    /// Locks the mutex if this task holds it, or if no task holds it or waits for it.
    ///
    /// # Errors
    ///
    /// Returns an error if another task holds the mutex or waits for it.
    pub fn try_lock(&self) -> Result<ReentrantMutexGuard<'_, T>, TryLockError> {
        if self.is_owned_here() {
            return Ok(self.enter());
        }
        Ok(self.own(RawPermit::try_new(self, 1)?))
    }

    /// Returns whether the mutex is locked, or assigned to a task that waited for it.
    #[doc(alias = "locked")]
    pub fn is_locked(&self) -> bool {
        self.permits.free() == 0
    }

    /// Returns the number of tasks that wait for the mutex. Takes time in proportion to that
    /// number.
    #[doc(alias = "statistics")]
    pub fn waiting(&self) -> usize {
        self.permits.waiting(|_| true)
    }

    /// Returns the value without locking: the exclusive borrow proves that no guard exists.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.value
    }

    fn is_owned_here(&self) -> bool {
        self.owner.get().is_some() && self.owner.get() == current::task()
    }

    /// Makes the first guard of an owner, which takes over the permit. The last guard returns it.
    fn own(&self, taken: RawPermit<&Self>) -> ReentrantMutexGuard<'_, T> {
        mem::forget(taken);
        self.owner.set(current::task());
        self.enter()
    }

    fn enter(&self) -> ReentrantMutexGuard<'_, T> {
        self.guards.set(self.guards.get() + 1);
        ReentrantMutexGuard { mutex: self }
    }
}

impl<T: ?Sized> Deref for ReentrantMutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.mutex.value
    }
}

impl<T: ?Sized> Drop for ReentrantMutexGuard<'_, T> {
    fn drop(&mut self) {
        let ReentrantMutex { permits, owner, guards, .. } = self.mutex;
        guards.set(guards.get() - 1);
        if guards.get() == 0 {
            owner.set(None);
            locks::unlocked(&raw const *permits);
            // Last: this wakes the next waiter, which runs user code.
            permits.give(1);
        }
    }
}

impl<T: ?Sized> HasSemaphore for ReentrantMutex<T> {
    const LOCK: Option<&str> = Some("ReentrantMutex");

    fn semaphore(&self) -> &RawSemaphore {
        &self.permits
    }
}

impl<T: Default> Default for ReentrantMutex<T> {
    fn default() -> ReentrantMutex<T> {
        ReentrantMutex::new(T::default())
    }
}

impl<T> From<T> for ReentrantMutex<T> {
    fn from(value: T) -> ReentrantMutex<T> {
        ReentrantMutex::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for ReentrantMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReentrantMutex")
            .field("owner", &self.owner.get())
            .field("value", &&self.value)
            .finish_non_exhaustive()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for ReentrantMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for ReentrantMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
