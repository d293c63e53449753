//! The guards of a read-write lock that is borrowed.

use std::cell::{Ref, RefCell, RefMut};
use std::fmt;
use std::future::poll_fn;
use std::ops::{Deref, DerefMut};

use super::mapped_guard::{MappedGuard, RwLockMappedWriteGuard};
use super::raw_semaphore::{Acquire, RawPermit, RawSemaphore};

/// The permits of a lock: a reader takes one, a writer takes all. A `RefCell` counts as many
/// readers.
pub(super) const ALL: usize = isize::MAX as usize;

/// The permits of an upgradable reader: two of them are more than all. So there is one at most, and
/// as many readers beside it as a program can have.
pub(super) const UPGRADABLE: usize = ALL / 2 + 1;

/// A guard of an [`RwLock`](super::RwLock) that is locked for reading, or of a part of its value.
/// Unlocks it when it is dropped.
#[must_use = "a lock is unlocked when its guard is dropped"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    // Dropped in this order: the next task may borrow the value as soon as the permits are
    // released.
    value: Ref<'a, T>,
    permit: RawPermit<&'a RawSemaphore>,
}

/// A guard of an [`RwLock`](super::RwLock) that is locked for writing. Unlocks it when it is
/// dropped.
#[must_use = "a lock is unlocked when its guard is dropped"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    // Dropped in this order, as in `RwLockReadGuard`.
    value: RefMut<'a, T>,
    permit: RawPermit<&'a RawSemaphore>,
    cell: &'a RefCell<T>,
}

/// A guard of an [`RwLock`](super::RwLock) that is locked for reading, and may be locked for
/// writing without unlocking it in between. Unlocks it when it is dropped.
#[must_use = "a lock is unlocked when its guard is dropped"]
pub struct RwLockUpgradableReadGuard<'a, T: ?Sized> {
    // Dropped in this order, as in `RwLockReadGuard`.
    value: Ref<'a, T>,
    permit: RawPermit<&'a RawSemaphore>,
    cell: &'a RefCell<T>,
}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    pub(super) fn new(
        cell: &'a RefCell<T>,
        permit: RawPermit<&'a RawSemaphore>,
    ) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard { value: cell.borrow(), permit }
    }

    /// Returns a guard of a part of the value. The lock stays locked for reading.
    ///
    /// This is a function, not a method: the value may have a method of that name.
    ///
    /// ```
    /// use evloop::sync::{RwLock, RwLockReadGuard};
    ///
    /// evloop::block_on(async {
    ///     let pair = RwLock::new((1, "one"));
    ///     let name = RwLockReadGuard::map(pair.read().await, |pair| pair.1);
    ///     assert_eq!(&*name, "one");
    ///     assert!(pair.try_write().is_err());
    /// });
    /// ```
    pub fn map<U: ?Sized>(this: Self, f: impl FnOnce(&T) -> &U) -> RwLockReadGuard<'a, U> {
        let RwLockReadGuard { value, permit } = this;
        RwLockReadGuard { value: Ref::map(value, f), permit }
    }

    /// Returns a guard of a part of the value, if there is that part.
    ///
    /// # Errors
    ///
    /// Returns this guard if `f` returns `None`.
    pub fn try_map<U: ?Sized>(
        this: Self,
        f: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<RwLockReadGuard<'a, U>, Self> {
        let RwLockReadGuard { value, permit } = this;
        match Ref::filter_map(value, f) {
            Ok(value) => Ok(RwLockReadGuard { value, permit }),
            Err(value) => Err(RwLockReadGuard { value, permit }),
        }
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    pub(super) fn new(
        cell: &'a RefCell<T>,
        permit: RawPermit<&'a RawSemaphore>,
    ) -> RwLockWriteGuard<'a, T> {
        RwLockWriteGuard { value: cell.borrow_mut(), permit, cell }
    }

    /// Turns this guard into a read guard. No other task writes in between. Readers that are next
    /// in the wait queue read too.
    pub fn downgrade(self) -> RwLockReadGuard<'a, T> {
        let RwLockWriteGuard { value, mut permit, cell } = self;
        drop(value);
        let value = cell.borrow();
        permit.release_all_but(1);
        RwLockReadGuard { value, permit }
    }

    /// Turns this guard into an upgradable read guard. No other task writes in between. Readers
    /// that are next in the wait queue read too.
    pub fn downgrade_to_upgradable(self) -> RwLockUpgradableReadGuard<'a, T> {
        let RwLockWriteGuard { value, mut permit, cell } = self;
        drop(value);
        let value = cell.borrow();
        permit.release_all_but(UPGRADABLE);
        RwLockUpgradableReadGuard { value, permit, cell }
    }

    /// Returns a guard of a part of the value. The lock stays locked for writing.
    ///
    /// This is a function, not a method: the value may have a method of that name. So are those
    /// below.
    ///
    /// ```
    /// use evloop::sync::{RwLock, RwLockWriteGuard};
    ///
    /// evloop::block_on(async {
    ///     let pair = RwLock::new((1, vec!["one"]));
    ///     let mut names = RwLockWriteGuard::map(pair.write().await, |pair| &mut pair.1);
    ///     names.push("uno");
    ///     drop(names);
    ///     let names = RwLockWriteGuard::downgrade_map(pair.write().await, |pair| &pair.1);
    ///     assert_eq!(*names, ["one", "uno"]);
    /// });
    /// ```
    pub fn map<U: ?Sized>(
        this: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> RwLockMappedWriteGuard<'a, U> {
        MappedGuard::new(RefMut::map(this.value, f), this.permit)
    }

    /// Returns a guard of a part of the value, if there is that part.
    ///
    /// # Errors
    ///
    /// Returns this guard if `f` returns `None`.
    pub fn try_map<U: ?Sized>(
        this: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<RwLockMappedWriteGuard<'a, U>, Self> {
        let RwLockWriteGuard { value, permit, cell } = this;
        match RefMut::filter_map(value, f) {
            Ok(part) => Ok(MappedGuard::new(part, permit)),
            Err(value) => Err(RwLockWriteGuard { value, permit, cell }),
        }
    }

    /// Returns a mapped guard of the whole value.
    pub fn into_mapped(this: Self) -> RwLockMappedWriteGuard<'a, T> {
        RwLockWriteGuard::map(this, |value| value)
    }

    /// Returns a read guard of a part of the value. No other task writes in between, and none reads
    /// while `f` runs.
    pub fn downgrade_map<U: ?Sized>(
        this: Self,
        f: impl FnOnce(&T) -> &U,
    ) -> RwLockReadGuard<'a, U> {
        let RwLockWriteGuard { value, mut permit, cell } = this;
        drop(value);
        let value = Ref::map(cell.borrow(), f);
        permit.release_all_but(1);
        RwLockReadGuard { value, permit }
    }

    /// Returns a read guard of a part of the value, if there is that part. No other task writes in
    /// between.
    ///
    /// # Errors
    ///
    /// Returns this guard if `f` returns `None`.
    pub fn try_downgrade_map<U: ?Sized>(
        this: Self,
        f: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<RwLockReadGuard<'a, U>, Self> {
        let RwLockWriteGuard { value, mut permit, cell } = this;
        drop(value);
        match Ref::filter_map(cell.borrow(), f) {
            Ok(value) => {
                permit.release_all_but(1);
                Ok(RwLockReadGuard { value, permit })
            }
            Err(value) => {
                drop(value);
                Err(RwLockWriteGuard::new(cell, permit))
            }
        }
    }
}

impl<'a, T: ?Sized> RwLockUpgradableReadGuard<'a, T> {
    pub(super) fn new(
        cell: &'a RefCell<T>,
        permit: RawPermit<&'a RawSemaphore>,
    ) -> RwLockUpgradableReadGuard<'a, T> {
        RwLockUpgradableReadGuard { value: cell.borrow(), permit, cell }
    }

    /// Waits until the other readers have unlocked, and locks for writing. No other task writes in
    /// between: this overtakes all tasks that wait for the lock.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops this guard: the lock is unlocked.
    pub async fn upgrade(self) -> RwLockWriteGuard<'a, T> {
        let RwLockUpgradableReadGuard { value, mut permit, cell } = self;
        drop(value);
        let mut acquire = Acquire::new(*permit.owner(), ALL - UPGRADABLE);
        permit.merge(poll_fn(|cx| acquire.poll_overtaking(cx)).await);
        RwLockWriteGuard::new(cell, permit)
    }

    /// Locks for writing if no other task reads.
    ///
    /// # Errors
    ///
    /// Returns this guard if another task reads.
    pub fn try_upgrade(self) -> Result<RwLockWriteGuard<'a, T>, Self> {
        let RwLockUpgradableReadGuard { value, mut permit, cell } = self;
        match RawPermit::try_overtaking(*permit.owner(), ALL - UPGRADABLE) {
            Ok(others) => {
                drop(value);
                permit.merge(others);
                Ok(RwLockWriteGuard::new(cell, permit))
            }
            Err(_) => Err(RwLockUpgradableReadGuard { value, permit, cell }),
        }
    }

    /// Turns this guard into a read guard. The next task that waits for an upgradable one gets it.
    pub fn downgrade(self) -> RwLockReadGuard<'a, T> {
        // If a waker panics, the value is dropped before the permit.
        let RwLockUpgradableReadGuard { mut permit, value, .. } = self;
        permit.release_all_but(1);
        RwLockReadGuard { value, permit }
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

impl<T: ?Sized> Deref for RwLockUpgradableReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
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

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockUpgradableReadGuard<'_, T> {
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

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockUpgradableReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
