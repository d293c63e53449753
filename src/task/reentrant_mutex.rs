//! A lock that its owner can take again.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::ops::Deref;

use crate::current::{self, TaskId, debug};
use crate::sync::TryLockError;
use crate::sync::raw_semaphore::{Acquire, HasSemaphore, RawPermit, RawSemaphore};

/// Lets one task at a time in, and that one as often as it likes: threading's `RLock`.
///
/// The owner is the task that is running when the lock is taken, so that a function which locks can
/// call another one which locks too. Futures that one task polls side by side, as `join!` does, are
/// one owner. Where there is no task, outside of a loop or under another executor, nobody is known
/// to be the owner: it is a plain mutex then, and who locks it twice waits for ever.
///
/// Since its owner may have several guards, they give `&T`; put a `Cell` or `RefCell` inside. It is
/// as fair as a [`Mutex`](crate::sync::Mutex): first come, first served.
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
#[doc(alias = "RLock")]
pub struct ReentrantMutex<T: ?Sized> {
    permits: RawSemaphore,
    /// Who has the guards; `None`, if nobody or no task has.
    owner: Cell<Option<TaskId>>,
    guards: Cell<usize>,
    value: T,
}

/// The value of a locked [`ReentrantMutex`]. The last of them unlocks it when it is dropped.
#[must_use = "a mutex is unlocked when its guards are dropped"]
pub struct ReentrantMutexGuard<'a, T: ?Sized> {
    mutex: &'a ReentrantMutex<T>,
}

impl<T> ReentrantMutex<T> {
    /// A mutex that is not locked.
    pub const fn new(value: T) -> ReentrantMutex<T> {
        let (owner, guards) = (Cell::new(None), Cell::new(0));
        ReentrantMutex { permits: RawSemaphore::new(1), owner, guards, value }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T: ?Sized> ReentrantMutex<T> {
    /// Waits until no other task has the mutex, and locks it.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost but the place in the line.
    #[doc(alias = "acquire")]
    pub fn lock(&self) -> impl Future<Output = ReentrantMutexGuard<'_, T>> {
        let mut acquire = Acquire::new(self, 1);
        poll_fn(move |cx| {
            if self.is_mine() {
                // A place in the line would be given a turn that nobody takes.
                acquire = Acquire::new(self, 1);
                return self.enter().into();
            }
            acquire.poll_lock(cx).map(|taken| self.own(taken))
        })
    }

    /// Locks the mutex if this task has it, or nobody has it or waits for it.
    ///
    /// # Errors
    ///
    /// If another task has it or waits for it.
    pub fn try_lock(&self) -> Result<ReentrantMutexGuard<'_, T>, TryLockError> {
        if self.is_mine() {
            return Ok(self.enter());
        }
        Ok(self.own(RawPermit::try_new(self, 1)?))
    }

    /// Whether it is locked, or about to be by who waited for it.
    #[doc(alias = "locked")]
    pub fn is_locked(&self) -> bool {
        self.permits.free() == 0
    }

    /// The value, without locking: who can borrow the mutex mutably is alone.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.value
    }

    fn is_mine(&self) -> bool {
        self.owner.get().is_some() && self.owner.get() == current::task()
    }

    /// The first guard of an owner has the permit, and the last one gives it back.
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
            debug::unlocked(&raw const *permits);
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
