//! The handle of a scope's child.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::current::TaskId;
use crate::executor::{Cancel, JoinError, Output, Owner, Runnable, abort, local_queue};

/// The handle of a scope's child, awaited for its output; made by
/// [`Scope::spawn`](super::Scope::spawn).
///
/// It differs from a [`JoinHandle`](super::JoinHandle) in one point. If the handle is dropped
/// before it returned the child's panic, the panic ends the scope.
///
/// # Cancel safety
///
/// Dropping a future that awaits `&mut handle` loses nothing; the output stays until it is taken.
///
/// # Panics
///
/// Panics if it is polled again after it returned the output.
pub struct ScopedHandle<'env, T> {
    task: Output<'env, T>,
}

impl<'env, T> ScopedHandle<'env, T> {
    pub(super) fn new(task: Output<'env, T>) -> ScopedHandle<'env, T> {
        ScopedHandle { task }
    }

    /// Returns the child's id.
    pub fn id(&self) -> TaskId {
        self.task.header().id
    }

    /// Returns whether the child has ended: its output, or an error, can be taken.
    #[doc(alias = "done")]
    pub fn is_finished(&self) -> bool {
        self.task.header().is_finished()
    }

    /// Aborts the child: the scope drops the child's future when it next runs the child, never
    /// inside this call. See [`JoinHandle::abort`](super::JoinHandle::abort).
    pub fn abort(&self) {
        abort(self.task.header());
    }

    /// [Aborts](ScopedHandle::abort) the child and waits until its future was dropped. Returns the
    /// output if the child had finished before.
    #[doc(alias = "kill")]
    pub fn cancel(self) -> Cancel<ScopedHandle<'env, T>> {
        self.abort();
        Cancel(self)
    }
}

impl<T> Future for ScopedHandle<'_, T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.task.poll_output(cx)
    }
}

/// Passes a panic that no handle will return to the scope, or to the loop if the scope has ended.
#[cold]
fn report(child: &Owner<'_>, panic: JoinError) {
    if let Some(unhandled) = child.unhandled(panic) {
        local_queue::store_unhandled(child.header().in_loop(), unhandled);
    }
}

impl<T> Drop for ScopedHandle<'_, T> {
    fn drop(&mut self) {
        if let Some(panic) = self.task.detach() {
            report(self.task.owner(), panic);
        }
    }
}

impl<T> fmt::Debug for ScopedHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ScopedHandle");
        debug.field("id", &self.id()).field("is_finished", &self.is_finished()).finish()
    }
}
