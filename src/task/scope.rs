//! Tasks that borrow from the function that spawns them, and do not outlive it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use super::children::{Children, End};
use super::scoped_handle::ScopedHandle;
use crate::info::Birth;

/// Spawns the children of a scope; given to the body of [`scope`]. Clones spawn into the same one.
#[derive(Clone)]
pub struct Scope<'env> {
    children: Rc<Children<'env>>,
}

/// Runs `body`, and the children that it spawns, to their end: asyncio's `TaskGroup`, trio's
/// nursery.
///
/// A child is a task of its own, with a name in [`task::all`](super::all), but may borrow whatever
/// lives longer than the scope; a local variable of the body does not. The scope completes with the
/// output of the body, once that and all children have ended: none outlives it. Whoever needs an
/// output awaits the handle; whoever does not lets it go.
///
/// The children are run by the task that awaits the scope, each when it was woken and in the order
/// of the wakes. To other tasks they are this one task: they share its budget.
///
/// # Panics
///
/// When it is first polled outside of a running loop. A panic of the body drops the children; a
/// panic of a child whose handle was dropped drops the body and the other children. Both go
/// through.
///
/// # Cancel safety
///
/// Dropping it drops the body, then the children in the order in which they were spawned.
///
/// ```
/// use evloop::task;
///
/// evloop::block_on(async {
///     let words = vec![String::from("to"), String::from("borrow")];
///     let lengths = task::scope(async |s| {
///         let first = s.spawn(async { words[0].len() });
///         let second = s.spawn(async { words[1].len() });
///         (first.await.unwrap(), second.await.unwrap())
///     });
///     assert_eq!(lengths.await, (2, 6));
///     assert_eq!(words.len(), 2, "they are still ours");
/// });
/// ```
///
/// What the body owns cannot be borrowed, since the children may live longer than the body:
///
/// ```compile_fail,E0597
/// # use evloop::task;
/// # evloop::block_on(async {
/// task::scope(async |s| {
///     let local = String::from("short-lived");
///     s.spawn(async { local.len() });
/// })
/// .await;
/// # });
/// ```
///
/// Nor can a handle or a borrow leave for where the borrowed is gone:
///
/// ```compile_fail,E0597
/// # use evloop::task;
/// # evloop::block_on(async {
/// let escaped = {
///     let word = String::from("short-lived");
///     task::scope(async |s| s.spawn(async { word.as_str() })).await
/// };
/// escaped.await.unwrap();
/// # });
/// ```
#[doc(alias = "TaskGroup")]
#[doc(alias = "open_nursery")]
pub async fn scope<'env, F, T>(body: F) -> T
where
    F: AsyncFnOnce(Scope<'env>) -> T,
{
    let children = Rc::new(Children::new());
    let _end = End(&children);
    let mut body = pin!(body(Scope { children: children.clone() }));
    let mut output = None;
    poll_fn(|cx| {
        children.poll(cx, |cx| {
            if output.is_none() {
                if let Poll::Ready(ready) = body.as_mut().poll(cx) {
                    output = Some(ready);
                }
            }
            output.is_some()
        })
    })
    .await;
    output.expect("a scope is done when its body is")
}

impl<'env> Scope<'env> {
    /// Spawns a child. It runs when the scope does, not inside of this call.
    ///
    /// In a scope that is cancelled or has ended, the future is dropped at once, and the handle
    /// gives a cancelled [`JoinError`](super::JoinError).
    #[doc(alias = "create_task")]
    #[doc(alias = "start_soon")]
    #[track_caller]
    pub fn spawn<F: Future + 'env>(&self, future: F) -> ScopedHandle<'env, F::Output> {
        self.spawn_as(Birth::here(), future)
    }

    pub(super) fn spawn_as<F: Future + 'env>(
        &self,
        birth: Birth,
        future: F,
    ) -> ScopedHandle<'env, F::Output> {
        self.children.spawn(future, birth)
    }

    /// Ends the children: their futures are dropped before the scope is next left, never inside of
    /// this call, and what is spawned from now on is dropped at once. The body goes on.
    ///
    /// ```
    /// use evloop::task;
    ///
    /// evloop::block_on(task::scope(async |s| {
    ///     let idle = s.spawn(std::future::pending::<()>());
    ///     s.cancel();
    ///     assert!(idle.await.unwrap_err().is_cancelled());
    /// }));
    /// ```
    #[doc(alias = "cancel_scope")]
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

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Scope");
        debug.field("len", &self.len()).field("is_cancelled", &self.is_cancelled()).finish()
    }
}
