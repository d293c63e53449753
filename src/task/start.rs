//! Waiting until a scope's child is ready.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use super::scoped_handle::ScopedHandle;
use crate::executor::JoinError;
use crate::wait::{store_waker, wake};

/// Reports that a child is ready: trio's `TaskStatus`. It is the argument of a child that
/// [`Scope::start`](super::Scope::start) spawns.
pub struct Started<V> {
    state: Rc<State<V>>,
}

/// The reason why a child never was ready: it ended before. See
/// [`Scope::start`](super::Scope::start).
pub enum NotStarted<T> {
    /// The child returned this.
    Ended(T),
    /// The child panicked or was cancelled.
    Failed(JoinError),
}

/// The state that a child and the future that waits for it share.
pub(super) struct State<V> {
    value: Cell<Option<V>>,
    is_set: Cell<bool>,
    waiter: Cell<Option<Waker>>,
}

/// Waits until a child is ready. [`Scope::start`](super::Scope::start) and
/// [`TryScope::start`](super::TryScope::start) create it.
///
/// # Errors
///
/// [`NotStarted`] if the child ends before it is ready.
///
/// # Cancel safety
///
/// Dropping it aborts the child, unless it is ready.
#[must_use = "dropping it aborts the child: await it"]
pub struct Start<'env, V, T> {
    handle: ScopedHandle<'env, T>,
    state: Rc<State<V>>,
}

impl<V> Started<V> {
    pub(super) fn new() -> Started<V> {
        let state =
            State { value: Cell::new(None), is_set: Cell::new(false), waiter: Cell::new(None) };
        Started { state: Rc::new(state) }
    }

    pub(super) fn state(&self) -> Rc<State<V>> {
        self.state.clone()
    }

    /// Reports that the child is ready. `start` returns `value`.
    #[doc(alias = "started")]
    pub fn set(self, value: V) {
        self.state.is_set.set(true);
        self.state.value.set(Some(value));
        wake(self.state.waiter.take());
    }
}

impl<V> State<V> {
    pub(super) fn is_set(&self) -> bool {
        self.is_set.get()
    }
}

impl<T> NotStarted<T> {
    /// Returns what the child returned.
    ///
    /// # Errors
    ///
    /// Returns the error of a child that panicked or was cancelled.
    pub fn into_output(self) -> Result<T, JoinError> {
        match self {
            NotStarted::Ended(output) => Ok(output),
            NotStarted::Failed(error) => Err(error),
        }
    }
}

impl<'env, V, T> Start<'env, V, T> {
    pub(super) fn new(handle: ScopedHandle<'env, T>, state: Rc<State<V>>) -> Start<'env, V, T> {
        Start { handle, state }
    }
}

impl<V, T> Future for Start<'_, V, T> {
    type Output = Result<V, NotStarted<T>>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // First: cloning the waker is user code, which may run the child.
        store_waker(&self.state.waiter, cx.waker());
        if let Some(value) = self.state.value.take() {
            return Poll::Ready(Ok(value));
        }
        let joined = ready!(Pin::new(&mut self.handle).poll(cx));
        Poll::Ready(Err(joined.map_or_else(NotStarted::Failed, NotStarted::Ended)))
    }
}

impl<V, T> Drop for Start<'_, V, T> {
    fn drop(&mut self) {
        drop(self.state.waiter.take());
        if !self.state.is_set() {
            self.handle.abort();
        }
    }
}

impl<V, T> fmt::Debug for Start<'_, V, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("is_set", &self.state.is_set()).finish_non_exhaustive()
    }
}

impl<V> fmt::Debug for Started<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for NotStarted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotStarted::Ended(_) => f.write_str("the child returned before it called Started::set"),
            NotStarted::Failed(error) => write!(f, "the child did not start: {error}"),
        }
    }
}

impl<T> fmt::Debug for NotStarted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NotStarted({self})")
    }
}

impl<T> Error for NotStarted<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            NotStarted::Ended(_) => None,
            NotStarted::Failed(error) => Some(error),
        }
    }
}
