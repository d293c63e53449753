//! A scope that ends at the first error.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::task::{Poll, ready};

use super::children::{Children, End};
use super::scoped_handle::ScopedHandle;
use super::start::{Start, Started};
use crate::current::awaited_at;
use crate::executor::SpawnOptions;
use crate::poll_with::{lazy, poll_with};

/// Spawns the children of a scope; the argument of the body of [`try_scope`]. A clone spawns into
/// the same scope.
pub struct TryScope<'env, E> {
    children: Rc<Children<'env>>,
    errors: Rc<RefCell<Vec<E>>>,
}

/// The errors of a scope, in the order in which they occurred: asyncio's `ExceptionGroup`. It holds
/// at least one error.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupError<E> {
    errors: Vec<E>,
}

/// Runs `body` and the children that it spawns until all have ended, or until the first of them
/// fails.
///
/// The body and the children return a `Result`. The first `Err` drops the other children, and the
/// body, at their awaits. In all else this is as [`scope`](super::scope()).
///
/// # Errors
///
/// Returns a [`GroupError`] with the first error, and with the errors of children that were woken
/// at the same time and failed before the scope ended.
///
/// # Panics
///
/// Panics as [`scope`](super::scope()) does.
///
/// # Cancel safety
///
/// Dropping the future drops the body, then the children in the order in which they were spawned.
///
/// ```
/// use evloop::task;
///
/// evloop::block_on(async {
///     let result = task::try_scope(async |s| {
///         s.spawn(async { "seven".parse::<u32>() });
///         let forever = s.spawn(std::future::pending::<Result<(), _>>());
///         forever.await.unwrap();
///         Ok(())
///     });
///     let errors = result.await.unwrap_err().into_errors();
///     assert_eq!(errors[0].to_string(), "invalid digit found in string");
/// });
/// ```
#[track_caller]
pub fn try_scope<'env, F, T, E>(body: F) -> impl Future<Output = Result<T, GroupError<E>>>
where
    F: AsyncFnOnce(TryScope<'env, E>) -> Result<T, E>,
    E: 'env,
{
    try_scope_at(Location::caller(), body)
}

/// Does the same as [`try_scope`]. Its task waits for the children at `place`.
pub(super) fn try_scope_at<'env, F, T, E>(
    place: &'static Location<'static>,
    body: F,
) -> impl Future<Output = Result<T, GroupError<E>>>
where
    F: AsyncFnOnce(TryScope<'env, E>) -> Result<T, E>,
    E: 'env,
{
    lazy(move || {
        let children = Rc::new(Children::new());
        let errors = Rc::new(RefCell::new(Vec::new()));
        // Dropped after the body.
        let mut end = Some(End(children.clone()));
        let body = body(TryScope { children: children.clone(), errors: errors.clone() });
        let mut output = None;
        poll_with(Some(body), move |mut body, cx| {
            let polled = children.poll(cx, |cx| {
                match body.as_mut().as_pin_mut().map(|body| body.poll(cx)) {
                    Some(Poll::Ready(Ok(ready))) => output = Some(ready),
                    Some(Poll::Ready(Err(error))) => errors.borrow_mut().push(error),
                    _ => return output.is_some(),
                }
                body.set(None);
                output.is_some()
            });
            if errors.borrow().is_empty() {
                ready!(awaited_at(place, polled));
            }
            body.set(None);
            drop(end.take());
            let errors = errors.take();
            Poll::Ready(match output.take() {
                Some(output) if errors.is_empty() => Ok(output),
                _ => Err(GroupError { errors }),
            })
        })
    })
}

impl<'env, E: 'env> TryScope<'env, E> {
    /// Spawns a child. Its handle returns the child's `Ok` value; an `Err` ends the scope.
    ///
    /// In a scope that is cancelled or has ended, the future is dropped at once, and the handle
    /// returns a cancelled [`JoinError`](super::JoinError).
    #[doc(alias = "create_task")]
    #[track_caller]
    pub fn spawn<T: 'env, F>(&self, future: F) -> ScopedHandle<'env, T>
    where
        F: Future<Output = Result<T, E>> + 'env,
    {
        self.spawn_as(SpawnOptions::here(), future)
    }

    pub(super) fn spawn_as<T: 'env, F>(
        &self,
        options: SpawnOptions,
        future: F,
    ) -> ScopedHandle<'env, T>
    where
        F: Future<Output = Result<T, E>> + 'env,
    {
        let child = ending_scope(future, self.errors.clone(), |result| result);
        self.children.spawn(child, options)
    }

    /// Spawns a child and waits until it is ready, as [`Scope::start`](super::Scope::start) does.
    ///
    /// # Errors
    ///
    /// [`NotStarted`](super::NotStarted) if the child ends before it is ready: its error does not
    /// end the scope then. A later error does.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future aborts the child, unless it is ready.
    ///
    /// ```
    /// use evloop::task::{self, Started};
    ///
    /// evloop::block_on(async {
    ///     let result = task::try_scope(async |s| {
    ///         let refused = s.start(async |_: Started<()>| Err::<(), _>("refused")).await;
    ///         assert_eq!(refused.unwrap_err().into_output().unwrap(), Err("refused"));
    ///         let child = async |started: Started<u32>| {
    ///             started.set(7);
    ///             Err::<(), _>("broken")
    ///         };
    ///         assert_eq!(s.start(child).await.unwrap(), 7);
    ///         Ok(())
    ///     });
    ///     assert_eq!(result.await.unwrap_err().into_first(), "broken");
    /// });
    /// ```
    #[track_caller]
    pub fn start<V: 'env, T: 'env>(
        &self,
        child: impl AsyncFnOnce(Started<V>) -> Result<T, E> + 'env,
    ) -> Start<'env, V, Result<T, E>> {
        let started = Started::new();
        let (state, is_started) = (started.state(), started.state());
        let child = lazy(move || child(started));
        let child = ending_scope(child, self.errors.clone(), move |result| match result {
            Err(error) if is_started.is_set() => Err(error),
            result => Ok(result),
        });
        Start::new(self.children.spawn(child, SpawnOptions::here()), state)
    }

    /// Cancels the children, as [`Scope::cancel`](super::Scope::cancel) does. The body runs on.
    pub fn cancel(&self) {
        self.children.cancel();
    }

    /// Returns whether the scope was cancelled or has ended.
    pub fn is_cancelled(&self) -> bool {
        self.children.is_cancelled()
    }

    /// Returns the number of children that have not ended.
    pub fn len(&self) -> usize {
        self.children.len()
    }

    /// Returns whether no child is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Returns the future of a child. `split` returns the child's output, or an error that ends the
/// scope: then the future stays pending, and the scope drops it.
fn ending_scope<F: Future, T, E>(
    future: F,
    errors: Rc<RefCell<Vec<E>>>,
    split: impl Fn(F::Output) -> Result<T, E>,
) -> impl Future<Output = T> {
    // `None` once the future has failed.
    let mut errors = Some(errors);
    poll_with(future, move |future, cx| {
        let Some(not_failed) = &errors else { return Poll::Pending };
        match split(ready!(future.poll(cx))) {
            Ok(output) => Poll::Ready(output),
            Err(error) => {
                not_failed.borrow_mut().push(error);
                errors = None;
                Poll::Pending
            }
        }
    })
}

impl<E> GroupError<E> {
    /// Returns the errors, in the order in which they occurred.
    pub fn errors(&self) -> &[E] {
        &self.errors
    }

    /// Returns the errors, in the order in which they occurred.
    pub fn into_errors(self) -> Vec<E> {
        self.errors
    }

    /// Returns the first error, which ended the scope.
    pub fn into_first(mut self) -> E {
        self.errors.swap_remove(0)
    }
}

impl<E> Clone for TryScope<'_, E> {
    fn clone(&self) -> Self {
        TryScope { children: self.children.clone(), errors: self.errors.clone() }
    }
}

impl<E> fmt::Debug for TryScope<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryScope").field("len", &self.children.len()).finish_non_exhaustive()
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.errors.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl<E: fmt::Debug> fmt::Debug for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GroupError").field(&self.errors).finish()
    }
}

impl<E: Error> Error for GroupError<E> {}

impl<E: Error + Send + Sync + 'static> From<GroupError<E>> for io::Error {
    fn from(error: GroupError<E>) -> io::Error {
        io::Error::other(error)
    }
}
