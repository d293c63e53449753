//! A limit on how many borrowers use something at a time.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::Hash;
use std::io;

use super::raw_semaphore::{Acquire, HasSemaphore, RawPermit, RawSemaphore, Refusal};
use crate::current::{self, TaskId};
use crate::order;

/// Lets a limited number of borrowers do something at a time: trio's `CapacityLimiter`.
///
/// It differs from a [`Semaphore`](super::Semaphore) in two ways. Each token has a borrower, which
/// holds at most one: a mistake such as a nested acquire is an error, not a deadlock. And the
/// number of tokens may change at any time, also to less than are borrowed.
///
/// A borrower is the running task, or a value of the type `B` that stands for it. Tokens are first
/// come, first served. Acquiring counts towards the budget of a task's poll.
///
/// ```
/// use std::rc::Rc;
/// use evloop::sync::CapacityLimiter;
/// use evloop::task::spawn_blocking;
///
/// evloop::block_on(async {
///     // At most two of these run on the blocking pool at a time.
///     let limiter = Rc::new(CapacityLimiter::new(2));
///     let hash = |n: u64| {
///         let limiter = limiter.clone();
///         async move {
///             let _token = limiter.acquire().await?;
///             Ok::<u64, std::io::Error>(spawn_blocking(move || n * n).await?)
///         }
///     };
///     let tasks: Vec<_> = (0..5).map(|n| evloop::spawn(hash(n))).collect();
///     for (n, task) in (0..5).zip(tasks) {
///         assert_eq!(task.await.unwrap().unwrap(), n * n);
///     }
/// });
/// ```
///
/// # Panics
///
/// Its methods panic if the `Hash` or `Eq` of a borrower uses the limiter.
pub struct CapacityLimiter<B = TaskId> {
    permits: RawSemaphore,
    total: Cell<usize>,
    /// The tokens that are borrowed beyond the total: the next ones released are not available.
    /// While there are any, no permit is free.
    excess: Cell<usize>,
    /// The borrowers, each with the number of its token. 0: it waits for one.
    borrowers: RefCell<HashMap<B, u64>>,
    /// The number of tokens that were borrowed so far.
    loans: Cell<u64>,
}

/// A token of a [`CapacityLimiter`]. Releases it when it is dropped.
#[must_use = "a token is released when it is dropped"]
pub struct CapacityToken<'a, B: Eq + Hash = TaskId> {
    // Dropped in this order: the borrower may borrow again once the token is released.
    borrower: Borrower<'a, B>,
    _permit: RawPermit<&'a CapacityLimiter<B>>,
}

/// An entry in the borrowers. Its drop removes the entry.
struct Borrower<'a, B: Eq + Hash> {
    limiter: &'a CapacityLimiter<B>,
    borrower: B,
}

/// The error of [`CapacityLimiter::acquire`]: the borrower holds a token, or waits for one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AlreadyBorrowed(());

/// The error of [`CapacityLimiter::try_acquire`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryBorrowError {
    /// No token is available, or others wait for one.
    NoTokens,
    /// The borrower holds a token, or waits for one.
    AlreadyBorrowed,
}

impl CapacityLimiter<TaskId> {
    /// Waits for a token, on behalf of the running task.
    ///
    /// # Errors
    ///
    /// Returns an error if the task holds a token or waits for one.
    ///
    /// # Panics
    ///
    /// Panics outside of a task. Use
    /// [`acquire_on_behalf_of`](CapacityLimiter::acquire_on_behalf_of) there.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses only its place in the wait queue.
    #[track_caller]
    pub fn acquire(&self) -> impl Future<Output = Result<CapacityToken<'_>, AlreadyBorrowed>> {
        self.acquire_on_behalf_of(running_task())
    }

    /// Takes a token if one is available and no borrower waits, on behalf of the running task.
    ///
    /// # Errors
    ///
    /// Returns an error if no token is available, others wait, or the task holds one.
    ///
    /// # Panics
    ///
    /// Panics outside of a task.
    // Compiled where it is used, with the map of the borrowers.
    #[inline]
    #[track_caller]
    #[doc(alias = "acquire_nowait")]
    pub fn try_acquire(&self) -> Result<CapacityToken<'_>, TryBorrowError> {
        self.try_acquire_on_behalf_of(running_task())
    }
}

impl<B> CapacityLimiter<B> {
    /// Creates a limiter with this number of tokens. `usize::MAX` is no limit.
    #[doc(alias = "total_tokens")]
    pub fn new(total: usize) -> CapacityLimiter<B> {
        CapacityLimiter {
            permits: RawSemaphore::new(total),
            total: Cell::new(total),
            excess: Cell::new(0),
            borrowers: RefCell::default(),
            loans: Cell::new(0),
        }
    }

    /// Returns the number of tokens, borrowed or not.
    pub fn total_tokens(&self) -> usize {
        self.total.get()
    }

    /// Changes the number of tokens. More tokens go to waiting borrowers at once. If there are
    /// fewer than are borrowed, those stay valid, and as many are not available once released.
    pub fn set_total_tokens(&self, total: usize) {
        let before = self.total.replace(total);
        if total >= before {
            return self.release(total - before);
        }
        let removed = self.permits.take_up_to(before - total);
        self.excess.set(self.excess.get() + (before - total - removed));
    }

    /// Returns the number of borrowed tokens. A token that is assigned to a woken task is borrowed.
    pub fn borrowed_tokens(&self) -> usize {
        self.total.get() - self.permits.free() + self.excess.get()
    }

    /// Returns the number of tokens that can be borrowed now: 0 if more are borrowed than there
    /// are.
    pub fn available_tokens(&self) -> usize {
        self.permits.free()
    }

    /// Returns the number of borrowers that wait. Takes time in proportion to that number.
    #[doc(alias = "statistics")]
    pub fn waiting(&self) -> usize {
        self.permits.waiting(|_| true)
    }
}

impl<B: Clone + Eq + Hash> CapacityLimiter<B> {
    /// Waits for a token, on behalf of `borrower`: anything that stands for it, such as a name.
    ///
    /// ```
    /// use evloop::sync::CapacityLimiter;
    ///
    /// evloop::block_on(async {
    ///     let one_each = CapacityLimiter::new(10);
    ///     let token = one_each.acquire_on_behalf_of("ann").await.unwrap();
    ///     assert!(one_each.acquire_on_behalf_of("ann").await.is_err());
    ///     let other = one_each.acquire_on_behalf_of("bob").await.unwrap();
    ///     assert_eq!(one_each.borrowed_tokens(), 2);
    ///     drop((token, other));
    ///     assert_eq!(one_each.available_tokens(), 10);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the borrower holds a token or waits for one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses only its place in the wait queue.
    pub async fn acquire_on_behalf_of(
        &self,
        borrower: B,
    ) -> Result<CapacityToken<'_, B>, AlreadyBorrowed> {
        let borrower = Borrower::new(self, borrower).ok_or(AlreadyBorrowed(()))?;
        let mut acquire = Acquire::new(self, 1);
        let permit = poll_fn(|cx| acquire.poll_lock(cx)).await;
        Ok(CapacityToken::new(borrower, permit))
    }

    /// Takes a token if one is available and no borrower waits, on behalf of `borrower`.
    ///
    /// # Errors
    ///
    /// Returns an error if no token is available, others wait, or the borrower holds one.
    #[doc(alias = "acquire_on_behalf_of_nowait")]
    pub fn try_acquire_on_behalf_of(
        &self,
        borrower: B,
    ) -> Result<CapacityToken<'_, B>, TryBorrowError> {
        let borrower = Borrower::new(self, borrower).ok_or(TryBorrowError::AlreadyBorrowed)?;
        Ok(CapacityToken::new(borrower, RawPermit::try_new(self, 1)?))
    }

    /// Returns the borrowers that hold a token, in the order in which they have borrowed it.
    pub fn borrowers(&self) -> Vec<B> {
        let borrowers = self.borrow();
        let mut holders: Vec<_> = borrowers.iter().filter(|(_, number)| **number > 0).collect();
        order::sort(&mut holders, |(_, number)| **number);
        holders.into_iter().map(|(borrower, _)| borrower.clone()).collect()
    }
}

impl<B> CapacityLimiter<B> {
    fn borrow(&self) -> RefMut<'_, HashMap<B, u64>> {
        let borrowers = self.borrowers.try_borrow_mut();
        borrowers
            .expect("the Hash, Eq or Clone of a borrower used the limiter that it borrows from")
    }
}

#[track_caller]
fn running_task() -> TaskId {
    let Some(task) = current::task() else {
        panic!("a CapacityLimiter was acquired outside of a task: use acquire_on_behalf_of");
    };
    task
}

impl<'a, B: Clone + Eq + Hash> Borrower<'a, B> {
    /// Adds a borrower that holds no token yet. `None`: it is there already.
    fn new(limiter: &'a CapacityLimiter<B>, borrower: B) -> Option<Borrower<'a, B>> {
        let key = borrower.clone();
        let mut borrowers = limiter.borrow();
        match borrowers.contains_key(&borrower) {
            true => None,
            false => {
                borrowers.insert(key, 0);
                Some(Borrower { limiter, borrower })
            }
        }
    }
}

impl<'a, B: Eq + Hash> CapacityToken<'a, B> {
    fn new(
        borrower: Borrower<'a, B>,
        permit: RawPermit<&'a CapacityLimiter<B>>,
    ) -> CapacityToken<'a, B> {
        let limiter = borrower.limiter;
        if let Some(number) = limiter.borrow().get_mut(&borrower.borrower) {
            *number = limiter.loans.get() + 1;
            limiter.loans.set(*number);
        }
        CapacityToken { borrower, _permit: permit }
    }

    /// Returns the borrower of the token.
    pub fn borrower(&self) -> &B {
        &self.borrower.borrower
    }
}

impl<B: Eq + Hash> Drop for Borrower<'_, B> {
    fn drop(&mut self) {
        // Dropped after the borrow has ended: the destructor of a borrower is user code.
        let _removed = self.limiter.borrow().remove_entry(&self.borrower);
    }
}

impl<B> HasSemaphore for CapacityLimiter<B> {
    fn semaphore(&self) -> &RawSemaphore {
        &self.permits
    }

    fn release(&self, count: usize) {
        let removed = self.excess.get().min(count);
        self.excess.set(self.excess.get() - removed);
        self.permits.give(count - removed);
    }
}

impl From<Refusal> for TryBorrowError {
    fn from(_: Refusal) -> TryBorrowError {
        TryBorrowError::NoTokens
    }
}

impl fmt::Display for AlreadyBorrowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the borrower holds a token of this limiter already, or waits for one")
    }
}

impl fmt::Debug for AlreadyBorrowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlreadyBorrowed({self})")
    }
}

impl fmt::Display for TryBorrowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryBorrowError::NoTokens => {
                f.write_str("no token is available, or others wait for one")
            }
            TryBorrowError::AlreadyBorrowed => AlreadyBorrowed(()).fmt(f),
        }
    }
}

impl Error for AlreadyBorrowed {}
impl Error for TryBorrowError {}

impl From<AlreadyBorrowed> for io::Error {
    fn from(error: AlreadyBorrowed) -> io::Error {
        io::Error::new(io::ErrorKind::AlreadyExists, error)
    }
}

impl From<TryBorrowError> for io::Error {
    fn from(error: TryBorrowError) -> io::Error {
        let kind = match error {
            TryBorrowError::NoTokens => io::ErrorKind::WouldBlock,
            TryBorrowError::AlreadyBorrowed => io::ErrorKind::AlreadyExists,
        };
        io::Error::new(kind, error)
    }
}

impl<B> fmt::Debug for CapacityLimiter<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CapacityLimiter")
            .field("total_tokens", &self.total_tokens())
            .field("borrowed_tokens", &self.borrowed_tokens())
            .finish_non_exhaustive()
    }
}

impl<B: Eq + Hash + fmt::Debug> fmt::Debug for CapacityToken<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CapacityToken").field(self.borrower()).finish()
    }
}
