//! A guard of a part of a value that is locked for one task.

use std::cell::RefMut;
use std::fmt;
use std::ops::{Deref, DerefMut};

use super::raw_semaphore::{RawPermit, RawSemaphore};

/// A guard of a part of the value of a locked [`Mutex`](super::Mutex), or of an
/// [`RwLock`](super::RwLock) that is locked for writing. Unlocks the whole value when it is
/// dropped.
///
/// [`MutexGuard::map`](super::MutexGuard::map) and
/// [`RwLockWriteGuard::map`](super::RwLockWriteGuard::map) make it. Its functions are no methods:
/// the value may have methods of those names.
#[must_use = "a lock is unlocked when its guard is dropped"]
pub struct MappedGuard<'a, T: ?Sized> {
    // Dropped in this order: the next task may borrow the value as soon as the permit is released.
    part: RefMut<'a, T>,
    permit: RawPermit<&'a RawSemaphore>,
}

/// A guard of a part of the value of a locked [`Mutex`](super::Mutex).
pub type MappedMutexGuard<'a, T> = MappedGuard<'a, T>;

/// A guard of a part of the value of an [`RwLock`](super::RwLock) that is locked for writing.
pub type RwLockMappedWriteGuard<'a, T> = MappedGuard<'a, T>;

impl<'a, T: ?Sized> MappedGuard<'a, T> {
    pub(super) fn new(
        part: RefMut<'a, T>,
        permit: RawPermit<&'a RawSemaphore>,
    ) -> MappedGuard<'a, T> {
        MappedGuard { part, permit }
    }

    /// Returns a guard of a part of this part.
    pub fn map<U: ?Sized>(this: Self, f: impl FnOnce(&mut T) -> &mut U) -> MappedGuard<'a, U> {
        let MappedGuard { part, permit } = this;
        MappedGuard { part: RefMut::map(part, f), permit }
    }

    /// Returns a guard of a part of this part, if there is one.
    ///
    /// # Errors
    ///
    /// Returns this guard if `f` returns `None`.
    pub fn try_map<U: ?Sized>(
        this: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedGuard<'a, U>, Self> {
        let MappedGuard { part, permit } = this;
        match RefMut::filter_map(part, f) {
            Ok(part) => Ok(MappedGuard { part, permit }),
            Err(part) => Err(MappedGuard { part, permit }),
        }
    }
}

impl<T: ?Sized> Deref for MappedGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.part
    }
}

impl<T: ?Sized> DerefMut for MappedGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.part
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MappedGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MappedGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
