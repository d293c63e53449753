//! A value that many tasks may read or one may change, also across an `await`.

use std::cell::{Ref, RefCell, RefMut};
use std::fmt;
use std::future::Future;
use std::rc::Rc;

use super::mutex::TryLockError;
use super::raw_semaphore::{Acquire, HasSemaphore, RawPermit, RawSemaphore};
use super::rw_lock_guard::{
    ALL, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard, UPGRADABLE,
};
use crate::current::{leaf, locks};

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

/// A guard of an [`RwLock`] that is locked for reading, and that owns a share of the lock. Unlocks
/// it when it is dropped.
///
/// Safe Rust has no reference into a value that the guard itself owns. So this guard does not
/// dereference to the value: [`borrow`](OwnedRwLockReadGuard::borrow) returns a reference, at once.
/// `Ref::map` makes a reference to a part of the value.
#[must_use = "a lock is unlocked when its guard is dropped"]
pub struct OwnedRwLockReadGuard<T: ?Sized>(RawPermit<Rc<RwLock<T>>>);

/// A guard of an [`RwLock`] that is locked for writing, and that owns a share of the lock. Unlocks
/// it when it is dropped.
///
/// Its methods return references to the value at once, as those of [`OwnedRwLockReadGuard`].
#[must_use = "a lock is unlocked when its guard is dropped"]
pub struct OwnedRwLockWriteGuard<T: ?Sized>(RawPermit<Rc<RwLock<T>>>);

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
    #[track_caller]
    pub fn read(&self) -> impl Future<Output = RwLockReadGuard<'_, T>> {
        locks::called(&raw const self.permits);
        let mut acquire = Acquire::new(self, 1);
        leaf(move |cx| acquire.poll_lock(cx).map(RwLock::read_guard))
    }

    /// Waits until no task reads or writes, and locks for writing.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses only its place in the wait queue.
    #[track_caller]
    pub fn write(&self) -> impl Future<Output = RwLockWriteGuard<'_, T>> {
        locks::called(&raw const self.permits);
        let mut acquire = Acquire::new(self, ALL);
        leaf(move |cx| acquire.poll_lock(cx).map(RwLock::write_guard))
    }

    /// Waits until no task writes, waits to write or holds an upgradable guard, and locks for
    /// reading. The guard can be [upgraded](RwLockUpgradableReadGuard::upgrade) to one that writes:
    /// what was read before is still true then. This is the method of async-lock's `RwLock`.
    ///
    /// Other tasks may read at the same time, but one guard at a time is upgradable. A task that
    /// waits for an upgradable guard keeps its place in the wait queue as a writer does: tasks that
    /// arrive to read wait behind it.
    ///
    /// ```
    /// use evloop::sync::RwLock;
    ///
    /// /// Looks a name up, and adds it if it is new.
    /// async fn id(names: &RwLock<Vec<String>>, name: &str) -> usize {
    ///     let known = names.upgradable_read().await;
    ///     if let Some(id) = known.iter().position(|known| known == name) {
    ///         return id;
    ///     }
    ///     let mut names = known.upgrade().await;
    ///     names.push(name.into());
    ///     names.len() - 1
    /// }
    /// evloop::block_on(async {
    ///     let names = RwLock::new(vec!["a".to_string()]);
    ///     assert_eq!((id(&names, "b").await, id(&names, "a").await), (1, 0));
    /// });
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses only its place in the wait queue.
    #[track_caller]
    pub fn upgradable_read(&self) -> impl Future<Output = RwLockUpgradableReadGuard<'_, T>> {
        locks::called(&raw const self.permits);
        let mut acquire = Acquire::new(self, UPGRADABLE);
        leaf(move |cx| acquire.poll_lock(cx).map(RwLock::upgradable_guard))
    }

    /// Locks for reading if no task writes or waits.
    ///
    /// # Errors
    ///
    /// Returns an error if the lock cannot be locked at once.
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError> {
        Ok(RwLock::read_guard(RawPermit::try_new(self, 1)?))
    }

    /// Locks for writing if no task reads, writes or waits.
    ///
    /// # Errors
    ///
    /// Returns an error if the lock cannot be locked at once.
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError> {
        Ok(RwLock::write_guard(RawPermit::try_new(self, ALL)?))
    }

    /// Locks for reading if no task writes, waits or holds an upgradable guard. The guard can be
    /// [upgraded](RwLockUpgradableReadGuard::upgrade).
    ///
    /// # Errors
    ///
    /// Returns an error if the lock cannot be locked at once.
    pub fn try_upgradable_read(&self) -> Result<RwLockUpgradableReadGuard<'_, T>, TryLockError> {
        Ok(RwLock::upgradable_guard(RawPermit::try_new(self, UPGRADABLE)?))
    }

    /// Locks like [`read`](RwLock::read), with the same cancel safety. The guard owns a share of
    /// the lock.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use evloop::sync::RwLock;
    ///
    /// evloop::block_on(async {
    ///     let lock = Rc::new(RwLock::new(vec![1]));
    ///     let mut writer = lock.clone().write_owned().await;
    ///     let task = evloop::spawn(async move { writer.borrow_mut().push(2) });
    ///     let reader = lock.read_owned().await;
    ///     assert_eq!(*reader.borrow(), [1, 2]);
    ///     task.await.unwrap();
    /// });
    /// ```
    #[doc(alias = "read_arc")]
    pub fn read_owned(self: Rc<Self>) -> impl Future<Output = OwnedRwLockReadGuard<T>> {
        let mut acquire = Acquire::new(self, 1);
        leaf(move |cx| acquire.poll_lock(cx).map(OwnedRwLockReadGuard::new))
    }

    /// Locks like [`write`](RwLock::write), with the same cancel safety. The guard owns a share of
    /// the lock.
    #[doc(alias = "write_arc")]
    pub fn write_owned(self: Rc<Self>) -> impl Future<Output = OwnedRwLockWriteGuard<T>> {
        let mut acquire = Acquire::new(self, ALL);
        leaf(move |cx| acquire.poll_lock(cx).map(OwnedRwLockWriteGuard::new))
    }

    /// Locks like [`try_read`](RwLock::try_read). The guard owns a share of the lock.
    ///
    /// # Errors
    ///
    /// Returns an error if the lock cannot be locked at once.
    #[doc(alias = "try_read_arc")]
    pub fn try_read_owned(self: Rc<Self>) -> Result<OwnedRwLockReadGuard<T>, TryLockError> {
        Ok(OwnedRwLockReadGuard::new(RawPermit::try_new(self, 1)?))
    }

    /// Locks like [`try_write`](RwLock::try_write). The guard owns a share of the lock.
    ///
    /// # Errors
    ///
    /// Returns an error if the lock cannot be locked at once.
    #[doc(alias = "try_write_arc")]
    pub fn try_write_owned(self: Rc<Self>) -> Result<OwnedRwLockWriteGuard<T>, TryLockError> {
        Ok(OwnedRwLockWriteGuard::new(RawPermit::try_new(self, ALL)?))
    }

    /// Returns the number of tasks that wait to read. Takes time in proportion to the number of
    /// waiting tasks.
    #[doc(alias = "statistics")]
    pub fn readers_waiting(&self) -> usize {
        self.permits.waiting(|want| want == 1)
    }

    /// Returns the number of tasks that wait to write, or to read with an upgradable guard. Takes
    /// time in proportion to the number of waiting tasks.
    #[doc(alias = "statistics")]
    pub fn writers_waiting(&self) -> usize {
        self.permits.waiting(|want| want > 1)
    }

    /// Returns the value without locking: a mutable borrow of the lock is exclusive.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    fn read_guard(permit: RawPermit<&Self>) -> RwLockReadGuard<'_, T> {
        RwLockReadGuard::new(&permit.owner().value, permit.erase())
    }

    fn write_guard(permit: RawPermit<&Self>) -> RwLockWriteGuard<'_, T> {
        RwLockWriteGuard::new(&permit.owner().value, permit.erase())
    }

    fn upgradable_guard(permit: RawPermit<&Self>) -> RwLockUpgradableReadGuard<'_, T> {
        RwLockUpgradableReadGuard::new(&permit.owner().value, permit.erase())
    }
}

impl<T: ?Sized> OwnedRwLockReadGuard<T> {
    fn new(permit: RawPermit<Rc<RwLock<T>>>) -> OwnedRwLockReadGuard<T> {
        OwnedRwLockReadGuard(permit.movable())
    }

    /// Returns the value, for reading.
    pub fn borrow(&self) -> Ref<'_, T> {
        self.0.owner().value.borrow()
    }

    /// Returns the lock.
    pub fn rwlock(&self) -> &Rc<RwLock<T>> {
        self.0.owner()
    }
}

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    fn new(permit: RawPermit<Rc<RwLock<T>>>) -> OwnedRwLockWriteGuard<T> {
        OwnedRwLockWriteGuard(permit.movable())
    }

    /// Returns the value, for reading.
    pub fn borrow(&self) -> Ref<'_, T> {
        self.0.owner().value.borrow()
    }

    /// Returns the value, for writing.
    pub fn borrow_mut(&mut self) -> RefMut<'_, T> {
        self.0.owner().value.borrow_mut()
    }

    /// Turns this guard into a read guard. No other task writes in between. Readers that are next
    /// in the wait queue read too.
    pub fn downgrade(mut self) -> OwnedRwLockReadGuard<T> {
        self.0.release_all_but(1);
        OwnedRwLockReadGuard(self.0)
    }

    /// Returns the lock.
    pub fn rwlock(&self) -> &Rc<RwLock<T>> {
        self.0.owner()
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

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockReadGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrow().fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrow().fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedRwLockReadGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrow().fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedRwLockWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrow().fmt(f)
    }
}
