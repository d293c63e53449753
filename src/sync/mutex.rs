//! A value that one task at a time may use, also across awaits.

use std::cell::{RefCell, RefMut};
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use super::raw_semaphore::{Acquire, HasSemaphore, RawPermit, RawSemaphore, Refusal};

/// Lets one task at a time use a value, also while it awaits something in between.
///
/// Where nothing is awaited while the value is in use, a plain `RefCell` does: between two awaits a
/// task has the thread to itself.
///
/// First come, first served: an unlocked mutex goes to who waited longest, and nobody else can get
/// it in between; if that one's future is dropped, to the next. There is no poisoning: a task that
/// panics unlocks. Locking counts towards the operations that a poll of a task may complete.
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
#[doc(alias = "Lock")]
pub struct Mutex<T> {
    permits: RawSemaphore,
    /// `None`: an [`OwnedMutexGuard`] has it.
    value: RefCell<Option<T>>,
}

/// The value of a locked [`Mutex`]. Unlocks it when it is dropped.
#[must_use = "a mutex is unlocked when its guard is dropped"]
pub struct MutexGuard<'a, T> {
    // In this order: whoever is next may use the value at once.
    value: RefMut<'a, T>,
    taken: RawPermit<&'a Mutex<T>>,
}

/// The value of a locked [`Mutex`] that is held by an `Rc`. Unlocks it when it is dropped.
///
/// It holds the value itself: locking and unlocking move it.
#[must_use = "a mutex is unlocked when its guard is dropped"]
pub struct OwnedMutexGuard<T> {
    /// There until the guard is dropped.
    value: Option<T>,
    taken: RawPermit<Rc<Mutex<T>>>,
}

/// Why [`Mutex::try_lock`] and its like did not lock: it is locked, or others wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TryLockError(());

impl<T> Mutex<T> {
    /// A mutex that is not locked.
    pub const fn new(value: T) -> Mutex<T> {
        Mutex { permits: RawSemaphore::new(1), value: RefCell::new(Some(value)) }
    }

    /// Waits until the mutex is not locked, and locks it. A task that locks it again while it has
    /// the guard waits for itself, for ever; see [`ReentrantMutex`](crate::task::ReentrantMutex).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost but the place in the line.
    #[doc(alias = "acquire")]
    pub fn lock(&self) -> impl Future<Output = MutexGuard<'_, T>> {
        let mut acquire = Acquire::new(self, 1);
        poll_fn(move |cx| acquire.poll_lock(cx).map(MutexGuard::new))
    }

    /// Like [`lock`](Mutex::lock), with its cancel safety; the guard owns a share of the mutex, and
    /// the value.
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
    pub fn lock_owned(self: Rc<Self>) -> impl Future<Output = OwnedMutexGuard<T>> {
        let mut acquire = Acquire::new(self, 1);
        poll_fn(move |cx| acquire.poll_lock(cx).map(OwnedMutexGuard::new))
    }

    /// Locks the mutex if it is not locked and nobody waits for it.
    ///
    /// # Errors
    ///
    /// If it is, or somebody does.
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError> {
        Ok(MutexGuard::new(RawPermit::try_new(self, 1)?))
    }

    /// Like [`try_lock`](Mutex::try_lock); the guard owns a share of the mutex, and the value.
    ///
    /// # Errors
    ///
    /// If it is locked, or somebody waits for it.
    pub fn try_lock_owned(self: Rc<Self>) -> Result<OwnedMutexGuard<T>, TryLockError> {
        Ok(OwnedMutexGuard::new(RawPermit::try_new(self, 1)?))
    }

    /// Whether it is locked, or about to be by who waited for it.
    #[doc(alias = "locked")]
    pub fn is_locked(&self) -> bool {
        self.permits.free() == 0
    }

    /// The value, without locking: who can borrow the mutex mutably is alone.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut().as_mut().expect(NOT_OWNED)
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner().expect(NOT_OWNED)
    }
}

/// Why the value is there: an owned guard would have the permit, and a share of the mutex.
const NOT_OWNED: &str = "a mutex without an owned guard has its value";

impl<'a, T> MutexGuard<'a, T> {
    #[inline]
    fn new(taken: RawPermit<&'a Mutex<T>>) -> MutexGuard<'a, T> {
        let value = taken.of().value.borrow_mut();
        let value = RefMut::map(value, |value| value.as_mut().expect(NOT_OWNED));
        MutexGuard { value, taken }
    }

    /// What it has locked.
    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.taken.of()
    }
}

impl<T> OwnedMutexGuard<T> {
    fn new(taken: RawPermit<Rc<Mutex<T>>>) -> OwnedMutexGuard<T> {
        let value = taken.of().value.take();
        OwnedMutexGuard { value, taken }
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
        self.value.as_ref().expect("the value is there until the guard is dropped")
    }
}

impl<T> DerefMut for OwnedMutexGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("the value is there until the guard is dropped")
    }
}

impl<T> Drop for OwnedMutexGuard<T> {
    fn drop(&mut self) {
        // Its permit is given back after this.
        self.taken.of().value.replace(self.value.take());
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
