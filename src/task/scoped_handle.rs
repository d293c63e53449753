//! The handle of a scope's child.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::current::TaskId;
use crate::executor::{ChildSlot, JoinError, Output, abort, local_queue};

/// A child of a scope, to be awaited for its output; made by [`Scope::spawn`](super::Scope::spawn).
///
/// It is what a [`JoinHandle`](super::JoinHandle) is to a task, but for this: a panic of the child
/// that is not taken out by awaiting, because the handle was dropped, ends the scope.
///
/// # Cancel safety
///
/// Awaiting `&mut handle` may be given up at any time; the output stays until it is taken.
///
/// # Panics
///
/// Polling it again after it gave the output panics.
pub struct ScopedHandle<'env, T> {
    task: Rc<dyn Output<T> + 'env>,
    child_slot: Rc<ChildSlot>,
}

impl<'env, T> ScopedHandle<'env, T> {
    pub(super) fn new(
        task: Rc<dyn Output<T> + 'env>,
        child_slot: Rc<ChildSlot>,
    ) -> ScopedHandle<'env, T> {
        ScopedHandle { task, child_slot }
    }

    /// The child's id.
    pub fn id(&self) -> TaskId {
        self.task.header().id
    }

    /// Whether the output, or an error in its place, is there.
    #[doc(alias = "done")]
    pub fn is_finished(&self) -> bool {
        self.task.header().is_finished()
    }

    /// Asks for the child's end: its future is dropped when the scope next runs it, never inside of
    /// this call. See [`JoinHandle::abort`](super::JoinHandle::abort).
    pub fn abort(&self) {
        abort(self.task.header());
    }

    /// [Aborts](ScopedHandle::abort) the child; the future that is returned completes when the
    /// child's own was dropped. Gives the output if it had finished before.
    #[doc(alias = "kill")]
    pub fn cancel(self) -> impl Future<Output = Result<T, JoinError>> {
        self.abort();
        self
    }
}

impl<T> Future for ScopedHandle<'_, T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.task.poll_output(cx)
    }
}

impl<T> Drop for ScopedHandle<'_, T> {
    fn drop(&mut self) {
        let lost = self.task.detach().and_then(|panic| self.child_slot.scope_state().fail(panic));
        if let Some(panic) = lost {
            local_queue::lose(panic);
        }
    }
}

impl<T> fmt::Debug for ScopedHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ScopedHandle");
        debug.field("id", &self.id()).field("is_finished", &self.is_finished()).finish()
    }
}
