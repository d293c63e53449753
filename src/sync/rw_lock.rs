//! A value that many tasks may read or one may change, also across awaits.

use std::cell::{Ref, RefCell, RefMut};
use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::{Deref, DerefMut};

use super::mutex::TryLockError;
use super::raw_semaphore::{Acquire, HasSemaphore, RawPermit, RawSemaphore};

/// Lets many tasks read a value, or one change it, also while they await something in between.
///
/// First come, first served: while a task waits to write, those who come to read wait behind it, so
/// that neither readers nor writers can keep the others out for ever. So a task that reads must not
/// ask to read again: a writer in between would wait for it, and it for the writer. There is no
/// poisoning. Locking counts towards the operations that a poll of a task may complete.
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

/// The permits of a lock: one for a reader, all for a writer. A `RefCell` counts as many readers.
const ALL: usize = isize::MAX as usize;

/// The value of an [`RwLock`], to read. Unlocks it when it is dropped.
#[must_use = "a lock is unlocked when its guard is dropped"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    // In this order: whoever is next may use the value at once.
    value: Ref<'a, T>,
    _taken: RawPermit<&'a RwLock<T>>,
}

/// The value of an [`RwLock`], to change. Unlocks it when it is dropped.
#[must_use = "a lock is unlocked when its guard is dropped"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    // In this order: whoever is next may use the value at once.
    value: RefMut<'a, T>,
    taken: RawPermit<&'a RwLock<T>>,
}

impl<T> RwLock<T> {
    /// A lock that nobody holds.
    pub const fn new(value: T) -> RwLock<T> {
        RwLock { permits: RawSemaphore::new(ALL), value: RefCell::new(value) }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until nobody writes, nor waits to write, and locks for reading.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost but the place in the line.
    pub fn read(&self) -> impl Future<Output = RwLockReadGuard<'_, T>> {
        let mut acquire = Acquire::new(self, 1);
        poll_fn(move |cx| acquire.poll_lock(cx).map(RwLockReadGuard::new))
    }

    /// Waits until nobody reads or writes, and locks for writing.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost but the place in the line.
    pub fn write(&self) -> impl Future<Output = RwLockWriteGuard<'_, T>> {
        let mut acquire = Acquire::new(self, ALL);
        poll_fn(move |cx| acquire.poll_lock(cx).map(RwLockWriteGuard::new))
    }

    /// Locks for reading if nobody writes or waits.
    ///
    /// # Errors
    ///
    /// If somebody does.
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError> {
        Ok(RwLockReadGuard::new(RawPermit::try_new(self, 1)?))
    }

    /// Locks for writing if nobody reads, writes or waits.
    ///
    /// # Errors
    ///
    /// If somebody does.
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError> {
        Ok(RwLockWriteGuard::new(RawPermit::try_new(self, ALL)?))
    }

    /// The value, without locking: who can borrow the lock mutably is alone.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    fn new(taken: RawPermit<&'a RwLock<T>>) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard { value: taken.of().value.borrow(), _taken: taken }
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    fn new(taken: RawPermit<&'a RwLock<T>>) -> RwLockWriteGuard<'a, T> {
        RwLockWriteGuard { value: taken.of().value.borrow_mut(), taken }
    }

    /// Goes on as a reader, without anybody writing in between. Readers who are next in the line
    /// read too.
    pub fn downgrade(self) -> RwLockReadGuard<'a, T> {
        let RwLockWriteGuard { value, mut taken } = self;
        drop(value);
        let value = taken.of().value.borrow();
        taken.keep(1);
        RwLockReadGuard { value, _taken: taken }
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
