//! A value that many tasks may read or one may change, also across an `await`.

use std::cell::{Ref, RefCell, RefMut};
use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::{Deref, DerefMut};

use super::mutex::TryLockError;
use super::raw_semaphore::{Acquire, HasSemaphore, RawPermit, RawSemaphore};

/// Lets many tasks read a value, or one task change it, also while the tasks await something else.
///
/// Locks are first come, first served. While a task waits to write, tasks that arrive to read wait
/// behind it. So neither readers nor writers can keep the others out forever.
///
/// A task that holds a read guard must not lock for reading again: a writer in between would wait
/// for the task, and the task for the writer. There is no poisoning. Locking counts towards the
/// budget of a task's poll.
///
/// ```
/// use evloop::sync::RwLock;
///
/// evloop::block_on(async {
///     let config = RwLock::new(vec!["a"]);
///     {
///         let (one, other) = (config.read().await, config.read().await);
///         assert_eq!(one.len() + other.len(), 2);
///     }
///     config.write().await.push("b");
///     assert_eq!(*config.read().await, ["a", "b"]);
/// });
/// ```
pub struct RwLock<T: ?Sized> {
    permits: RawSemaphore,
    value: RefCell<T>,
}

/// The permits of a lock: a reader takes one, a writer takes all. A `RefCell` counts as many
/// readers.
const ALL: usize = isize::MAX as usize;

/// A guard of an [`RwLock`] that is locked for reading. Unlocks it when it is dropped.
#[must_use = "a lock is unlocked when its guard is dropped"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    // Dropped in this order: the next task may borrow the value as soon as the permits are
    // released.
    value: Ref<'a, T>,
    _permit: RawPermit<&'a RwLock<T>>,
}

/// A guard of an [`RwLock`] that is locked for writing. Unlocks it when it is dropped.
#[must_use = "a lock is unlocked when its guard is dropped"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    // Dropped in this order: the next task may borrow the value as soon as the permits are
    // released.
    value: RefMut<'a, T>,
    permit: RawPermit<&'a RwLock<T>>,
}

impl<T> RwLock<T> {
    /// Creates an unlocked lock.
    pub const fn new(value: T) -> RwLock<T> {
        RwLock { permits: RawSemaphore::new(ALL), value: RefCell::new(value) }
    }

    /// Returns the value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until no task writes or waits to write, and locks for reading.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses only its place in the wait queue.
    pub fn read(&self) -> impl Future<Output = RwLockReadGuard<'_, T>> {
        let mut acquire = Acquire::new(self, 1);
        poll_fn(move |cx| acquire.poll_lock(cx).map(RwLockReadGuard::new))
    }

    /// Waits until no task reads or writes, and locks for writing.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses only its place in the wait queue.
    pub fn write(&self) -> impl Future<Output = RwLockWriteGuard<'_, T>> {
        let mut acquire = Acquire::new(self, ALL);
        poll_fn(move |cx| acquire.poll_lock(cx).map(RwLockWriteGuard::new))
    }

    /// Locks for reading if no task writes or waits.
    ///
    /// # Errors
    ///
    /// Returns an error if the lock cannot be permit at once.
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError> {
        Ok(RwLockReadGuard::new(RawPermit::try_new(self, 1)?))
    }

    /// Locks for writing if no task reads, writes or waits.
    ///
    /// # Errors
    ///
    /// Returns an error if the lock cannot be permit at once.
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError> {
        Ok(RwLockWriteGuard::new(RawPermit::try_new(self, ALL)?))
    }

    /// Returns the value without locking: a mutable borrow of the lock is exclusive.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    fn new(permit: RawPermit<&'a RwLock<T>>) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard { value: permit.owner().value.borrow(), _permit: permit }
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    fn new(permit: RawPermit<&'a RwLock<T>>) -> RwLockWriteGuard<'a, T> {
        RwLockWriteGuard { value: permit.owner().value.borrow_mut(), permit }
    }

    /// Turns this guard into a read guard. No other task writes in between. Readers that are next
    /// in the wait queue read too.
    pub fn downgrade(self) -> RwLockReadGuard<'a, T> {
        let RwLockWriteGuard { value, mut permit } = self;
        drop(value);
        let value = permit.owner().value.borrow();
        permit.release_all_but(1);
        RwLockReadGuard { value, _permit: permit }
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: ?Sized> HasSemaphore for RwLock<T> {
    const LOCK: Option<&str> = Some("RwLock");

    fn semaphore(&self) -> &RawSemaphore {
        &self.permits
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> RwLock<T> {
        RwLock::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lock = f.debug_struct("RwLock");
        match self.value.try_borrow() {
            Ok(value) => lock.field("value", &&*value),
            Err(_) => lock.field("value", &format_args!("<locked>")),
        };
        lock.finish()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
