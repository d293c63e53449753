//! Values that belong to a task: all code that runs in the task can read them.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::thread;

use pin_project_lite::pin_project;

use crate::current;

/// Declares values that belong to the running task, or to a part of it: asyncio's `contextvars`,
/// `gevent.local`.
///
/// Each is a [`LocalKey`]; its page describes how it gets a value.
///
/// ```
/// evloop::task_local! {
///     /// The user that sent the request.
///     static USER: String;
///     pub(crate) static REQUEST: u64;
/// }
///
/// fn greeting() -> String {
///     USER.with(|user| format!("hello {user}, request {}", REQUEST.get()))
/// }
///
/// evloop::block_on(async {
///     let handler = REQUEST.scope(7, async { greeting() });
///     assert_eq!(USER.scope("ada".into(), handler).await, "hello ada, request 7");
///     assert!(USER.try_with(|_| ()).is_err());
/// });
/// ```
#[macro_export]
#[doc(alias = "ContextVar")]
#[doc(alias = "local")]
macro_rules! task_local {
    ($($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty);* $(;)?) => { $(
        $(#[$attribute])*
        $visibility static $name: $crate::task::LocalKey<$type> = {
            ::std::thread_local! {
                static VALUE: $crate::task::LocalValue<$type> =
                    const { $crate::task::LocalValue::new() };
            }
            $crate::task::LocalKey::new(&VALUE, ::std::stringify!($name))
        };
    )* };
}

/// A value that belongs to a task; declared by [`task_local!`](crate::task_local).
///
/// The key has a value inside [`scope`](LocalKey::scope) and nowhere else:
///
/// - A task that is spawned inside the scope does not have the value, unless its future got it by
///   [`inherit`](LocalKey::inherit).
/// - Nor do the tasks of a [`Runtime`](crate::Runtime) that is run inside the scope. The future of
///   its `block_on` does.
/// - The children of [`task::scope`](super::scope()), and so the futures of
///   [`gather`](super::gather()), run where the scope is awaited, and have the values of that
///   place.
pub struct LocalKey<T: 'static> {
    value: &'static thread::LocalKey<LocalValue<T>>,
    name: &'static str,
}

/// The value that the running task has. It is counted, so that the cell is not borrowed while user
/// code reads the value.
#[doc(hidden)]
pub struct LocalValue<T>(RefCell<Option<Place<T>>>);

/// A value, and the depth of nested polls at which it can be read.
struct Place<T> {
    value: Rc<T>,
    /// Code of another task that runs inside a poll of this one runs deeper, and does not see the
    /// value.
    depth: u32,
}

/// A task-local value was read outside of its scope. Its message names the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfScope {
    name: &'static str,
}

impl<T: 'static> LocalKey<T> {
    #[doc(hidden)]
    pub const fn new(
        value: &'static thread::LocalKey<LocalValue<T>>,
        name: &'static str,
    ) -> LocalKey<T> {
        LocalKey { value, name }
    }

    /// Runs `future` with the value. Scopes nest: the inner value hides the outer one.
    ///
    /// The value can be read while the future is polled or dropped. It is dropped after the future.
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> impl Future<Output = F::Output> {
        Scoped { key: self, value: Some(Rc::new(value)), future: Some(future) }
    }

    /// Calls `f` with the value set.
    pub fn sync_scope<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        let _inside = Inside::new(self, Rc::new(value));
        f()
    }

    /// Runs `future` with a copy of the running task's value, wherever the future will run. Without
    /// a value now, the future runs without one.
    ///
    /// ```
    /// evloop::task_local!(static DEPTH: u32);
    ///
    /// evloop::block_on(DEPTH.scope(3, async {
    ///     let without = evloop::spawn(async { DEPTH.try_with(|_| ()).is_ok() });
    ///     let with = evloop::spawn(DEPTH.inherit(async { DEPTH.get() }));
    ///     assert_eq!((without.await.unwrap(), with.await.unwrap()), (false, 3));
    /// }));
    /// ```
    #[doc(alias = "copy_context")]
    #[doc(alias = "Context")]
    pub fn inherit<F: Future>(&'static self, future: F) -> impl Future<Output = F::Output>
    where
        T: Clone,
    {
        Scoped { key: self, value: self.try_with(T::clone).ok().map(Rc::new), future: Some(future) }
    }

    /// Calls `f` with the value and returns what `f` returns.
    ///
    /// # Panics
    ///
    /// Panics outside of a scope.
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        // A closure in `unwrap_or_else` would not point at the caller.
        match self.try_with(f) {
            Ok(result) => result,
            Err(error) => panic!("{error}"),
        }
    }

    /// Calls `f` with the value and returns what `f` returns.
    ///
    /// # Errors
    ///
    /// Returns [`OutOfScope`] outside of a scope.
    #[doc(alias = "try_get")]
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, OutOfScope> {
        let value = self.value.try_with(LocalValue::get).ok().flatten();
        value.map(|value| f(&value)).ok_or(OutOfScope { name: self.name })
    }

    /// Returns a copy of the value.
    ///
    /// # Panics
    ///
    /// Panics outside of a scope.
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }
}

impl<T> LocalValue<T> {
    #[doc(hidden)]
    #[allow(clippy::new_without_default)]
    pub const fn new() -> LocalValue<T> {
        LocalValue(RefCell::new(None))
    }

    fn get(&self) -> Option<Rc<T>> {
        let place = self.0.borrow();
        let place = place.as_ref().filter(|place| place.depth == current::depth());
        place.map(|place| place.value.clone())
    }
}

pin_project! {
    /// A future and its value.
    struct Scoped<T, F>
    where
        T: 'static,
    {
        key: &'static LocalKey<T>,
        // `None`: the future runs without a value.
        value: Option<Rc<T>>,
        // `Some` until it is dropped.
        #[pin]
        future: Option<F>,
    }

    impl<T, F> PinnedDrop for Scoped<T, F>
    where
        T: 'static,
    {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _inside = Inside::optional(this.key, this.value);
            this.future.set(None);
        }
    }
}

impl<T, F: Future> Future for Scoped<T, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _inside = Inside::optional(this.key, this.value);
        let future = this.future.as_pin_mut();
        future.expect("a future is polled only before it is dropped").poll(cx)
    }
}

/// Sets the value of a key until this is dropped, then restores the value before.
struct Inside<T: 'static> {
    key: &'static LocalKey<T>,
    outer: Option<Place<T>>,
}

impl<T> Inside<T> {
    fn optional(key: &'static LocalKey<T>, value: &Option<Rc<T>>) -> Option<Inside<T>> {
        value.as_ref().map(|value| Inside::new(key, value.clone()))
    }

    fn new(key: &'static LocalKey<T>, value: Rc<T>) -> Inside<T> {
        let place = Place { value, depth: current::depth() };
        let outer = key.value.try_with(|value| value.0.replace(Some(place)));
        Inside { key, outer: outer.ok().flatten() }
    }
}

impl<T> Drop for Inside<T> {
    fn drop(&mut self) {
        let outer = self.outer.take();
        // If this is the last reference, the value is dropped here, while nothing is borrowed.
        let value = self.key.value.try_with(|value| value.0.replace(outer));
        drop(value);
    }
}

impl fmt::Display for OutOfScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        write!(
            f,
            "the task-local `{name}` was read outside of its scope: run the code inside \
             `{name}.scope(value, future)`, or give the value to a spawned task by \
             `{name}.inherit(future)`"
        )
    }
}

impl Error for OutOfScope {}

impl<T> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").field("name", &self.name).finish_non_exhaustive()
    }
}
