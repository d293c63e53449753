//! A number of permits, for which tasks wait.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::rc::Rc;

use super::raw_semaphore::{Acquire, HasSemaphore, RawPermit, RawSemaphore};
use super::semaphore_error::{AcquireError, AddPermitsError, TryAcquireError};

/// Lets a limited number of tasks do something at a time.
///
/// Strictly first come, first served: who wants many permits and waits for them is not overtaken by
/// those behind who want few. Acquiring counts towards the operations that a poll of a task may
/// complete, so that a task which acquires in a loop lets the others run.
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
#[doc(alias = "BoundedSemaphore")]
pub struct Semaphore {
    permits: RawSemaphore,
    /// Those that are free and those that are held.
    total: Cell<usize>,
    limit: usize,
}

/// Permits of a [`Semaphore`]. Gives them back when it is dropped.
#[must_use = "a permit that is dropped is given back"]
pub struct SemaphorePermit<'a>(RawPermit<&'a Semaphore>);

/// Permits of a [`Semaphore`] that is held by an `Rc`. Gives them back when it is dropped.
#[must_use = "a permit that is dropped is given back"]
pub struct OwnedSemaphorePermit(RawPermit<Rc<Semaphore>>);

impl Semaphore {
    /// A semaphore with so many permits; more can be added.
    pub const fn new(permits: usize) -> Semaphore {
        Semaphore::with_limit(permits, usize::MAX)
    }

    /// A semaphore that never has more permits than these: adding one that was not forgotten
    /// before is an error. asyncio's `BoundedSemaphore`.
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
    /// If the semaphore is closed, before or meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost but the place in the line.
    pub fn acquire(&self) -> impl Future<Output = Result<SemaphorePermit<'_>, AcquireError>> {
        self.acquire_many(1)
    }

    /// Waits for so many permits at once. While there are fewer in all, it waits, and all who come
    /// later wait behind it.
    ///
    /// # Errors
    ///
    /// If the semaphore is closed, before or meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost but the place in the line.
    pub fn acquire_many(
        &self,
        count: usize,
    ) -> impl Future<Output = Result<SemaphorePermit<'_>, AcquireError>> {
        let mut acquire = Acquire::new(self, count);
        poll_fn(move |cx| acquire.poll(cx).map_ok(SemaphorePermit).map_err(AcquireError::from))
    }

    /// Like [`acquire`](Semaphore::acquire), with its errors and its cancel safety; the permit owns
    /// a share of the semaphore.
    pub fn acquire_owned(
        self: Rc<Self>,
    ) -> impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>> {
        self.acquire_many_owned(1)
    }

    /// Like [`acquire_many`](Semaphore::acquire_many), with its errors and its cancel safety; the
    /// permits own a share of the semaphore.
    pub fn acquire_many_owned(
        self: Rc<Self>,
        count: usize,
    ) -> impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>> {
        let mut acquire = Acquire::new(self, count);
        poll_fn(move |cx| acquire.poll(cx).map_ok(OwnedSemaphorePermit).map_err(AcquireError::from))
    }

    /// Takes a permit if one is free and nobody waits.
    ///
    /// # Errors
    ///
    /// If not, or if the semaphore is closed.
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes so many permits if they are free and nobody waits.
    ///
    /// # Errors
    ///
    /// If not, or if the semaphore is closed.
    pub fn try_acquire_many(&self, count: usize) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        Ok(SemaphorePermit(RawPermit::try_new(self, count)?))
    }

    /// Like [`try_acquire`](Semaphore::try_acquire); the permit owns a share of the semaphore.
    ///
    /// # Errors
    ///
    /// If none is free, somebody waits, or the semaphore is closed.
    pub fn try_acquire_owned(self: Rc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// Like [`try_acquire_many`](Semaphore::try_acquire_many); the permits own a share of the
    /// semaphore.
    ///
    /// # Errors
    ///
    /// If too few are free, somebody waits, or the semaphore is closed.
    pub fn try_acquire_many_owned(
        self: Rc<Self>,
        count: usize,
    ) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        Ok(OwnedSemaphorePermit(RawPermit::try_new(self, count)?))
    }

    /// Adds permits: new ones, or some that were [forgotten](SemaphorePermit::forget).
    ///
    /// # Errors
    ///
    /// If there would be more than a [bounded](Semaphore::bounded) semaphore began with, or more
    /// than a `usize` counts. None is added then.
    #[doc(alias = "release")]
    pub fn add_permits(&self, count: usize) -> Result<(), AddPermitsError> {
        let total = self.total.get().checked_add(count).filter(|total| *total <= self.limit);
        self.total.set(total.ok_or(AddPermitsError(()))?);
        self.permits.give(count);
        Ok(())
    }

    /// How many permits nobody holds. While somebody waits they are kept for him.
    pub fn available_permits(&self) -> usize {
        self.permits.free()
    }

    /// Lets nothing more be acquired: those who wait get an error. What is held stays valid.
    pub fn close(&self) {
        self.permits.close();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.permits.is_closed()
    }

    fn forget(&self, count: usize) {
        self.total.set(self.total.get() - count);
    }
}

impl SemaphorePermit<'_> {
    /// Does not give the permits back: the semaphore has fewer from now on.
    pub fn forget(self) {
        let semaphore = *self.0.of();
        semaphore.forget(self.0.forget());
    }

    /// How many permits it holds.
    pub fn num_permits(&self) -> usize {
        self.0.count()
    }
}

impl OwnedSemaphorePermit {
    /// Does not give the permits back: the semaphore has fewer from now on.
    pub fn forget(self) {
        let semaphore = self.0.of().clone();
        semaphore.forget(self.0.forget());
    }

    /// How many permits it holds.
    pub fn num_permits(&self) -> usize {
        self.0.count()
    }

    /// What the permits are of.
    pub fn semaphore(&self) -> &Rc<Semaphore> {
        self.0.of()
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
