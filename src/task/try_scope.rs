//! A scope that the first error ends.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use super::children::{Children, End};
use super::scoped_handle::ScopedHandle;
use crate::executor::SpawnOptions;

/// Spawns the children of a scope; given to the body of [`try_scope`]. Clones spawn into the same
/// one.
pub struct TryScope<'env, E> {
    children: Rc<Children<'env>>,
    errors: Rc<RefCell<Vec<E>>>,
}

/// The errors of a scope, in the order in which they came: asyncio's `ExceptionGroup`. There is at
/// least one.
#[derive(Clone, PartialEq, Eq)]
#[doc(alias = "ExceptionGroup")]
pub struct GroupError<E> {
    errors: Vec<E>,
}

/// Runs `body`, and the children that it spawns, to their end, or until the first of them fails.
///
/// As [`scope`](super::scope()), but body and children give a `Result`. After the first `Err` the
/// other children, and the body, are dropped at their awaits.
///
/// # Errors
///
/// [`GroupError`] with the first error, and those of other children that were woken at the same
/// time and so came before the end.
///
/// # Panics
///
/// As [`scope`](super::scope()).
///
/// # Cancel safety
///
/// Dropping it drops the body, then the children in the order in which they were spawned.
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
#[doc(alias = "TaskGroup")]
pub async fn try_scope<'env, F, T, E>(body: F) -> Result<T, GroupError<E>>
where
    F: AsyncFnOnce(TryScope<'env, E>) -> Result<T, E>,
    E: 'env,
{
    let children = Rc::new(Children::new());
    let errors = Rc::new(RefCell::new(Vec::new()));
    let _end = End(&children);
    let scope = TryScope { children: children.clone(), errors: errors.clone() };
    let mut body = pin!(body(scope));
    let mut output = None;
    poll_fn(|cx| {
        let polled = children.poll(cx, |cx| {
            if output.is_none() {
                match body.as_mut().poll(cx) {
                    Poll::Ready(Ok(ready)) => output = Some(ready),
                    Poll::Ready(Err(error)) => errors.borrow_mut().push(error),
                    Poll::Pending => {}
                }
            }
            output.is_some()
        });
        if errors.borrow().is_empty() { polled } else { Poll::Ready(()) }
    })
    .await;
    let errors = errors.take();
    match output {
        Some(output) if errors.is_empty() => Ok(output),
        _ => Err(GroupError { errors }),
    }
}

impl<'env, E: 'env> TryScope<'env, E> {
    /// Spawns a child. Its handle gives what the child gave with `Ok`; an `Err` ends the scope.
    ///
    /// In a scope that is cancelled or has ended, the future is dropped at once, and the handle
    /// gives a cancelled [`JoinError`](super::JoinError).
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
        let errors = self.errors.clone();
        let child = async move {
            match future.await {
                Ok(output) => output,
                Err(error) => {
                    errors.borrow_mut().push(error);
                    // The scope drops this with all the others.
                    pending().await
                }
            }
        };
        self.children.spawn(child, options)
    }

    /// Ends the children, as [`Scope::cancel`](super::Scope::cancel) does. The body goes on.
    pub fn cancel(&self) {
        self.children.cancel();
    }

    /// Whether it was cancelled, or has ended.
    pub fn is_cancelled(&self) -> bool {
        self.children.is_cancelled()
    }

    /// How many children have not ended.
    pub fn len(&self) -> usize {
        self.children.len()
    }

    /// Whether no child is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<E> GroupError<E> {
    /// The errors, in the order in which they came.
    pub fn errors(&self) -> &[E] {
        &self.errors
    }

    /// The errors, in the order in which they came.
    pub fn into_errors(self) -> Vec<E> {
        self.errors
    }

    /// The error that came first, and ended the scope.
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
