//! A value that one task at a time may use, also across an `await`.

use std::cell::{RefCell, RefMut};
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use super::mapped_guard::{MappedGuard, MappedMutexGuard};
use super::raw_semaphore::{Acquire, HasSemaphore, RawPermit, RawSemaphore, Refusal};
use crate::current::{leaf, locks};

/// Lets one task at a time use a value, also while the task awaits something else.
///
/// If nothing is awaited while the value is in use, a `RefCell` is enough: between two awaits a
/// task has the thread to itself.
///
/// Locks are first come, first served. An unlocked mutex is handed to the longest-waiting task, and
/// no other task can lock it in between. If that task's future is dropped, the mutex is handed to
/// the next one. There is no poisoning: a task that panics unlocks. Locking counts towards the
/// budget of a task's poll. asyncio calls this `Lock`.
///
/// ```
/// use std::rc::Rc;
/// use evloop::sync::Mutex;
///
/// evloop::block_on(async {
///     let tickets = Rc::new(Mutex::new(10));
///     let buy = |tickets: Rc<Mutex<i32>>| async move {
///         let mut left = tickets.lock().await;
///         if *left > 0 {
///             evloop::task::yield_now().await; // … pays …
///             *left -= 1;
///         }
///     };
///     let buyers: Vec<_> = (0..15).map(|_| evloop::spawn(buy(tickets.clone()))).collect();
///     for buyer in buyers {
///         buyer.await.unwrap();
///     }
///     assert_eq!(*tickets.lock().await, 0);
/// });
/// ```
pub struct Mutex<T> {
    permits: RawSemaphore,
    /// `None` while an [`OwnedMutexGuard`] holds the value.
    value: RefCell<Option<T>>,
}

/// A guard of a locked [`Mutex`], which dereferences to the value. Unlocks the mutex when it is
/// dropped.
#[must_use = "a mutex is unlocked when its guard is dropped"]
pub struct MutexGuard<'a, T> {
    // Dropped in this order: the next task may borrow the value as soon as the permit is released.
    value: RefMut<'a, T>,
    permit: RawPermit<&'a Mutex<T>>,
}

/// A guard that owns a share of the locked [`Mutex`]. Unlocks the mutex when it is dropped.
///
/// The guard holds the value itself: locking and unlocking move the value. It has no `map`: take
/// the part of the value where it is used.
#[must_use = "a mutex is unlocked when its guard is dropped"]
pub struct OwnedMutexGuard<T> {
    /// `Some` until the guard is dropped.
    value: Option<T>,
    permit: RawPermit<Rc<Mutex<T>>>,
}

/// The error of [`Mutex::try_lock`] and of [`RwLock`](super::RwLock)'s `try_` methods: the lock is
/// held, or other tasks wait for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TryLockError(());

impl<T> Mutex<T> {
    /// Creates an unlocked mutex.
    pub const fn new(value: T) -> Mutex<T> {
        Mutex { permits: RawSemaphore::new(1), value: RefCell::new(Some(value)) }
    }

    /// Waits until the mutex is unlocked, and locks it.
    ///
    /// A task that locks the mutex again while it holds the guard waits for itself forever.
    /// [`ReentrantMutex`](crate::task::ReentrantMutex) can be locked again by its owner. In
    /// [debug mode](crate::runtime::Builder::debug) a poll of a task that waits for a lock of its
    /// own, and for nothing else, is reported on stderr. A guard that another future of the task
    /// holds, such as a branch of a `join!`, is not reported: that future may drop it, once what it
    /// waits for has come. What futures of other crates wait for is not known, so a report may be
    /// wrong beside them. An [`OwnedMutexGuard`] is not reported: it may have moved to another
    /// task.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses only its place in the wait queue.
    #[doc(alias = "acquire")]
    #[track_caller]
    pub fn lock(&self) -> impl Future<Output = MutexGuard<'_, T>> {
        locks::called(&raw const self.permits);
        let mut acquire = Acquire::new(self, 1);
        leaf(move |cx| acquire.poll_lock(cx).map(MutexGuard::new))
    }

    /// Locks like [`lock`](Mutex::lock), with the same cancel safety. The guard owns a share of the
    /// mutex, and the value.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use evloop::sync::{Mutex, OwnedMutexGuard};
    ///
    /// /// A guard that outlives the variable it was locked through.
    /// async fn begin(turn: Rc<Mutex<u32>>) -> OwnedMutexGuard<u32> {
    ///     turn.lock_owned().await
    /// }
    /// evloop::block_on(async {
    ///     let turn = Rc::new(Mutex::new(0));
    ///     let mut guard = begin(turn.clone()).await;
    ///     *guard += 1;
    ///     assert!(turn.try_lock().is_err());
    ///     drop(guard);
    ///     assert_eq!(*turn.lock().await, 1);
    /// });
    /// ```
    #[doc(alias = "lock_arc")]
    pub fn lock_owned(self: Rc<Self>) -> impl Future<Output = OwnedMutexGuard<T>> {
        let mut acquire = Acquire::new(self, 1);
        leaf(move |cx| acquire.poll_lock(cx).map(OwnedMutexGuard::new))
    }

    /// Locks the mutex if it is unlocked and no task waits for it.
    ///
    /// # Errors
    ///
    /// Returns an error if the mutex is locked or a task waits for it.
    #[doc(alias = "acquire_nowait")]
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError> {
        Ok(MutexGuard::new(RawPermit::try_new(self, 1)?))
    }

    /// Locks like [`try_lock`](Mutex::try_lock). The guard owns a share of the mutex, and the
    /// value.
    ///
    /// # Errors
    ///
    /// Returns an error if the mutex is locked or a task waits for it.
    #[doc(alias = "try_lock_arc")]
    pub fn try_lock_owned(self: Rc<Self>) -> Result<OwnedMutexGuard<T>, TryLockError> {
        Ok(OwnedMutexGuard::new(RawPermit::try_new(self, 1)?))
    }

    /// Returns whether the mutex is locked, or is handed to a woken task.
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

    /// Returns the value without locking: a mutable borrow of the mutex is exclusive.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut().as_mut().expect(NOT_OWNED)
    }

    /// Returns the value.
    pub fn into_inner(self) -> T {
        self.value.into_inner().expect(NOT_OWNED)
    }
}

/// The message of a broken invariant: an owned guard holds the permit and a share of the mutex.
const NOT_OWNED: &str = "a mutex without an owned guard has its value";

impl<'a, T> MutexGuard<'a, T> {
    #[inline]
    fn new(permit: RawPermit<&'a Mutex<T>>) -> MutexGuard<'a, T> {
        let value = permit.owner().value.borrow_mut();
        let value = RefMut::map(value, |value| value.as_mut().expect(NOT_OWNED));
        MutexGuard { value, permit }
    }

    /// Returns a guard of a part of the value. The mutex stays locked.
    ///
    /// This is a function, not a method: the value may have a method of that name.
    ///
    /// ```
    /// use evloop::sync::{MappedMutexGuard, Mutex, MutexGuard};
    ///
    /// struct Cache {
    ///     names: Vec<String>,
    /// }
    /// /// Locks a part of the cache, whose other fields stay private.
    /// async fn first(cache: &Mutex<Cache>) -> Option<MappedMutexGuard<'_, String>> {
    ///     let names = MutexGuard::map(cache.lock().await, |cache| &mut cache.names);
    ///     MappedMutexGuard::try_map(names, |names| names.first_mut()).ok()
    /// }
    /// evloop::block_on(async {
    ///     let cache = Mutex::new(Cache { names: vec!["a".into()] });
    ///     first(&cache).await.unwrap().push('b');
    ///     assert_eq!(cache.lock().await.names, ["ab"]);
    /// });
    /// ```
    pub fn map<U: ?Sized>(this: Self, f: impl FnOnce(&mut T) -> &mut U) -> MappedMutexGuard<'a, U> {
        let MutexGuard { value, permit } = this;
        MappedGuard::new(RefMut::map(value, f), permit.erase())
    }

    /// Returns a guard of a part of the value, if there is that part.
    ///
    /// # Errors
    ///
    /// Returns this guard if `f` returns `None`.
    pub fn try_map<U: ?Sized>(
        this: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedMutexGuard<'a, U>, Self> {
        let MutexGuard { value, permit } = this;
        match RefMut::filter_map(value, f) {
            Ok(part) => Ok(MappedGuard::new(part, permit.erase())),
            Err(value) => Err(MutexGuard { value, permit }),
        }
    }

    /// Returns the locked mutex.
    #[doc(alias = "source")]
    pub fn mutex(this: &Self) -> &'a Mutex<T> {
        this.permit.owner()
    }
}

impl<T> OwnedMutexGuard<T> {
    fn new(permit: RawPermit<Rc<Mutex<T>>>) -> OwnedMutexGuard<T> {
        let value = permit.owner().value.take();
        OwnedMutexGuard { value, permit: permit.movable() }
    }

    /// Returns the locked mutex.
    #[doc(alias = "source")]
    pub fn mutex(this: &Self) -> &Rc<Mutex<T>> {
        this.permit.owner()
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> Deref for OwnedMutexGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("the guard holds the value until it is dropped")
    }
}

impl<T> DerefMut for OwnedMutexGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("the guard holds the value until it is dropped")
    }
}

impl<T> Drop for OwnedMutexGuard<T> {
    fn drop(&mut self) {
        // The permit is released after this, when the field is dropped: the next task finds the
        // value.
        self.permit.owner().value.replace(self.value.take());
    }
}

impl<T> HasSemaphore for Mutex<T> {
    const LOCK: Option<&str> = Some("Mutex");

    fn semaphore(&self) -> &RawSemaphore {
        &self.permits
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Mutex<T> {
        Mutex::new(value)
    }
}

impl From<Refusal> for TryLockError {
    fn from(_: Refusal) -> TryLockError {
        TryLockError(())
    }
}

impl fmt::Display for TryLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lock is held, or others wait for it")
    }
}

impl fmt::Debug for TryLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TryLockError({self})")
    }
}

impl Error for TryLockError {}

impl From<TryLockError> for io::Error {
    fn from(error: TryLockError) -> io::Error {
        io::Error::new(io::ErrorKind::WouldBlock, error)
    }
}

impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut mutex = f.debug_struct("Mutex");
        match self.value.try_borrow().as_deref() {
            Ok(Some(value)) => mutex.field("value", value),
            _ => mutex.field("value", &format_args!("<locked>")),
        };
        mutex.finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Debug> fmt::Debug for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
