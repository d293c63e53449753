//! A number of permits that tasks wait for.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::ptr;
use std::rc::Rc;

use super::raw_semaphore::{Acquire, HasSemaphore, RawPermit, RawSemaphore};
use super::semaphore_error::{AcquireError, AddPermitsError, TryAcquireError};
use crate::current::leaf;

/// Lets a limited number of tasks do something at a time.
///
/// Permits are strictly first come, first served: a task that waits for many permits is not
/// overtaken by tasks behind it that want few. Acquiring counts towards the budget of a task's
/// poll, so that a task which acquires in a loop lets other tasks run.
///
/// ```
/// use std::rc::Rc;
/// use evloop::sync::Semaphore;
///
/// evloop::block_on(async {
///     let five_at_a_time = Rc::new(Semaphore::new(5));
///     let fetch = |page: usize| {
///         let semaphore = five_at_a_time.clone();
///         async move {
///             let _permit = semaphore.acquire().await.unwrap();
///             evloop::task::yield_now().await; // … fetches the page …
///             page
///         }
///     };
///     let tasks: Vec<_> = (0..20).map(|page| evloop::spawn(fetch(page))).collect();
///     for (page, task) in tasks.into_iter().enumerate() {
///         assert_eq!(task.await.unwrap(), page);
///     }
/// });
/// ```
pub struct Semaphore {
    permits: RawSemaphore,
    /// The number of free and held permits.
    total: Cell<usize>,
    limit: usize,
}

/// Permits of a [`Semaphore`]. Releases them when it is dropped.
#[must_use = "a permit is released when it is dropped"]
pub struct SemaphorePermit<'a>(RawPermit<&'a Semaphore>);

/// Permits of a [`Semaphore`] that own a share of it. Releases them when it is dropped.
#[must_use = "a permit is released when it is dropped"]
pub struct OwnedSemaphorePermit(RawPermit<Rc<Semaphore>>);

impl Semaphore {
    /// The most permits that a semaphore may have.
    pub const MAX_PERMITS: usize = usize::MAX;

    /// Creates a semaphore with this number of permits. More can be added.
    pub const fn new(permits: usize) -> Semaphore {
        Semaphore::with_limit(permits, usize::MAX)
    }

    /// Creates a semaphore that never has more than this number of permits: asyncio's
    /// `BoundedSemaphore`.
    ///
    /// Adding a permit is an error unless one was forgotten before.
    ///
    /// ```
    /// let semaphore = evloop::sync::Semaphore::bounded(1);
    /// semaphore.try_acquire().unwrap().forget();
    /// semaphore.add_permits(1).unwrap();
    /// assert!(semaphore.add_permits(1).is_err());
    /// ```
    pub const fn bounded(permits: usize) -> Semaphore {
        Semaphore::with_limit(permits, permits)
    }

    const fn with_limit(permits: usize, limit: usize) -> Semaphore {
        Semaphore { permits: RawSemaphore::new(permits), total: Cell::new(permits), limit }
    }

    /// Waits for a permit.
    ///
    /// # Errors
    ///
    /// Returns an error if the semaphore is closed, before or during the wait.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses only its place in the wait queue.
    pub fn acquire(&self) -> impl Future<Output = Result<SemaphorePermit<'_>, AcquireError>> {
        self.acquire_many(1)
    }

    /// Waits for `count` permits at once.
    ///
    /// If the semaphore has fewer permits in total, this waits until some are added. Tasks that
    /// acquire later wait behind this one.
    ///
    /// # Errors
    ///
    /// Returns an error if the semaphore is closed, before or during the wait.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses only its place in the wait queue.
    pub fn acquire_many(
        &self,
        count: usize,
    ) -> impl Future<Output = Result<SemaphorePermit<'_>, AcquireError>> {
        let mut acquire = Acquire::new(self, count);
        leaf(move |cx| acquire.poll(cx).map_ok(SemaphorePermit).map_err(AcquireError::from))
    }

    /// Waits for a permit like [`acquire`](Semaphore::acquire), with the same errors and cancel
    /// safety. The permit owns a share of the semaphore.
    #[doc(alias = "acquire_arc")]
    #[doc(alias = "PollSemaphore")]
    pub fn acquire_owned(
        self: Rc<Self>,
    ) -> impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>> {
        self.acquire_many_owned(1)
    }

    /// Waits for permits like [`acquire_many`](Semaphore::acquire_many), with the same errors and
    /// cancel safety. The permits own a share of the semaphore.
    pub fn acquire_many_owned(
        self: Rc<Self>,
        count: usize,
    ) -> impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>> {
        let mut acquire = Acquire::new(self, count);
        leaf(move |cx| acquire.poll(cx).map_ok(OwnedSemaphorePermit).map_err(AcquireError::from))
    }

    /// Takes a permit if one is free and no task waits.
    ///
    /// # Errors
    ///
    /// Returns an error if too few permits are free, a task waits, or the semaphore is closed.
    #[doc(alias = "acquire_nowait")]
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `count` permits if they are free and no task waits.
    ///
    /// # Errors
    ///
    /// Returns an error if too few permits are free, a task waits, or the semaphore is closed.
    pub fn try_acquire_many(&self, count: usize) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        Ok(SemaphorePermit(RawPermit::try_new(self, count)?))
    }

    /// Takes a permit like [`try_acquire`](Semaphore::try_acquire). The permit owns a share of the
    /// semaphore.
    ///
    /// # Errors
    ///
    /// Returns an error if no permit is free, a task waits, or the semaphore is closed.
    #[doc(alias = "try_acquire_arc")]
    pub fn try_acquire_owned(self: Rc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// Takes permits like [`try_acquire_many`](Semaphore::try_acquire_many). The permits own a
    /// share of the semaphore.
    ///
    /// # Errors
    ///
    /// Returns an error if too few permits are free, a task waits, or the semaphore is closed.
    pub fn try_acquire_many_owned(
        self: Rc<Self>,
        count: usize,
    ) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        Ok(OwnedSemaphorePermit(RawPermit::try_new(self, count)?))
    }

    /// Adds permits: new ones, or permits that were [forgotten](SemaphorePermit::forget).
    ///
    /// # Errors
    ///
    /// Returns an error, and adds none, if there would be more permits than a
    /// [bounded](Semaphore::bounded) semaphore started with, or more than a `usize` counts.
    #[doc(alias = "release")]
    pub fn add_permits(&self, count: usize) -> Result<(), AddPermitsError> {
        let total = self.total.get().checked_add(count).filter(|total| *total <= self.limit);
        self.total.set(total.ok_or(AddPermitsError(()))?);
        self.permits.give(count);
        Ok(())
    }

    /// Removes up to `count` free permits, and returns the number of removed ones: the semaphore
    /// has fewer permits from now on. [`add_permits`](Semaphore::add_permits) adds them again.
    ///
    /// Permits that are held, or assigned to a woken task, are not free. To remove more, acquire
    /// them and [forget](SemaphorePermit::forget) them.
    ///
    /// ```
    /// let semaphore = evloop::sync::Semaphore::new(3);
    /// let held = semaphore.try_acquire().unwrap();
    /// assert_eq!(semaphore.forget_permits(10), 2);
    /// drop(held);
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    pub fn forget_permits(&self, count: usize) -> usize {
        let taken = self.permits.take_up_to(count);
        self.forget(taken);
        taken
    }

    /// Returns the number of tasks that wait for permits. Takes time in proportion to that number.
    #[doc(alias = "statistics")]
    pub fn waiting(&self) -> usize {
        self.permits.waiting(|_| true)
    }

    /// Returns the number of free permits. While a task waits, they are reserved for it.
    #[doc(alias = "available_tokens")]
    #[doc(alias = "locked")]
    pub fn available_permits(&self) -> usize {
        self.permits.free()
    }

    /// Closes the semaphore: waiting tasks get an error, and no permit can be acquired any more.
    /// Held permits stay valid.
    pub fn close(&self) {
        self.permits.close();
    }

    /// Returns whether the semaphore was closed.
    pub fn is_closed(&self) -> bool {
        self.permits.is_closed()
    }

    fn forget(&self, count: usize) {
        self.total.set(self.total.get() - count);
    }
}

impl<'a> SemaphorePermit<'a> {
    /// Drops the permits without releasing them: the semaphore has fewer permits from now on.
    pub fn forget(self) {
        let semaphore = self.semaphore();
        semaphore.forget(self.0.forget());
    }

    /// Adds the permits of `other` to these. They are released together.
    ///
    /// # Panics
    ///
    /// Panics if the permits are of another semaphore.
    #[track_caller]
    pub fn merge(&mut self, other: Self) {
        assert!(
            ptr::eq(self.semaphore(), other.semaphore()),
            "permits of two different semaphores cannot be merged"
        );
        self.0.merge(other.0);
    }

    /// Takes `count` permits out of these. `None`: it holds fewer.
    ///
    /// ```
    /// let semaphore = evloop::sync::Semaphore::new(4);
    /// let mut all = semaphore.try_acquire_many(4).unwrap();
    /// let some = all.split(3).unwrap();
    /// assert!(all.split(2).is_none());
    /// drop(all);
    /// let mut first = semaphore.try_acquire().unwrap();
    /// first.merge(some);
    /// assert_eq!((first.num_permits(), semaphore.available_permits()), (4, 0));
    /// ```
    pub fn split(&mut self, count: usize) -> Option<Self> {
        self.0.split(count).map(SemaphorePermit)
    }

    /// Returns the number of permits that it holds.
    pub fn num_permits(&self) -> usize {
        self.0.count()
    }

    /// Returns the semaphore of the permits.
    pub fn semaphore(&self) -> &'a Semaphore {
        self.0.owner()
    }
}

impl OwnedSemaphorePermit {
    /// Drops the permits without releasing them: the semaphore has fewer permits from now on.
    pub fn forget(self) {
        let semaphore = self.semaphore().clone();
        semaphore.forget(self.0.forget());
    }

    /// Adds the permits of `other` to these. They are released together.
    ///
    /// # Panics
    ///
    /// Panics if the permits are of another semaphore.
    #[track_caller]
    pub fn merge(&mut self, other: Self) {
        assert!(
            Rc::ptr_eq(self.semaphore(), other.semaphore()),
            "permits of two different semaphores cannot be merged"
        );
        self.0.merge(other.0);
    }

    /// Takes `count` permits out of these. `None`: it holds fewer.
    pub fn split(&mut self, count: usize) -> Option<Self> {
        self.0.split(count).map(OwnedSemaphorePermit)
    }

    /// Returns the number of permits that it holds.
    pub fn num_permits(&self) -> usize {
        self.0.count()
    }

    /// Returns the semaphore of the permits.
    pub fn semaphore(&self) -> &Rc<Semaphore> {
        self.0.owner()
    }
}

impl HasSemaphore for Semaphore {
    fn semaphore(&self) -> &RawSemaphore {
        &self.permits
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available_permits", &self.available_permits())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SemaphorePermit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SemaphorePermit").field(&self.num_permits()).finish()
    }
}

impl fmt::Debug for OwnedSemaphorePermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedSemaphorePermit").field(&self.num_permits()).finish()
    }
}
