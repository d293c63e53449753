//! Functions that are called after the end of a task.

use std::fmt;
use std::panic::Location;

use crate::context;
use crate::executor::{EndCall, JoinError, JoinHandle, SpawnOptions, TaskEnd};

/// The registration of a function that is called after the end of a task; returned by
/// [`JoinHandle::on_end`]. Dropping it does not remove the function.
pub struct EndCallback(EndCall);

impl<T> JoinHandle<T> {
    /// Calls `f` when the task has ended, and keeps the handle: asyncio's `add_done_callback`,
    /// gevent's `link`. May be called several times.
    ///
    /// Each function runs in a detached task of its own, so its panic goes to the loop's
    /// [`on_task_error`](crate::runtime::Builder::on_task_error). These tasks are spawned in the
    /// order of the registrations, right after the task has ended. Then the task that waits for the
    /// handle is woken, so it continues after them. If the task has ended already, `f` is called in
    /// the same way, never inside this call. If the loop ends first, `f` is dropped.
    ///
    /// # Panics
    ///
    /// Panics outside of a running loop if the task has ended.
    ///
    /// ```
    /// use std::{cell::RefCell, rc::Rc};
    ///
    /// use evloop::task::TaskEnd;
    ///
    /// evloop::block_on(async {
    ///     let ends = Rc::new(RefCell::new(Vec::new()));
    ///     let task = evloop::spawn(async { 7 });
    ///     for name in ["first", "second", "third"] {
    ///         let ends = ends.clone();
    ///         let callback = task.on_end(move |end| ends.borrow_mut().push((name, end)));
    ///         if name == "second" {
    ///             assert!(callback.remove());
    ///         }
    ///     }
    ///     assert_eq!(task.await.unwrap(), 7);
    ///     let expected = [("first", TaskEnd::Returned), ("third", TaskEnd::Returned)];
    ///     assert_eq!(*ends.borrow(), expected);
    /// });
    /// ```
    #[doc(alias = "add_done_callback")]
    #[doc(alias = "link")]
    #[doc(alias = "rawlink")]
    #[doc(alias = "link_value")]
    #[doc(alias = "link_exception")]
    #[track_caller]
    pub fn on_end(&self, f: impl FnOnce(TaskEnd) + 'static) -> EndCallback {
        let (header, call) = (self.header(), EndCall::new(f, Location::caller()));
        let registered = call.clone();
        if header.is_finished() {
            let executor = &context::expect("JoinHandle::on_end").executor;
            executor.spawn_end_call(registered, header.end.get());
        } else {
            header.add_end_call(registered);
        }
        EndCallback(call)
    }
}

impl EndCallback {
    /// Drops the function: it will not be called. Returns whether it was still to be called.
    #[doc(alias = "remove_done_callback")]
    #[doc(alias = "unlink")]
    pub fn remove(&self) -> bool {
        self.0.remove()
    }
}

impl fmt::Debug for EndCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndCallback").field("is_over", &self.0.is_over()).finish_non_exhaustive()
    }
}

impl<T: 'static> JoinHandle<T> {
    /// Calls `f` with the output when the task has ended.
    ///
    /// `f` runs in a detached task of its own. [`on_end`](JoinHandle::on_end) keeps the handle.
    ///
    /// # Panics
    ///
    /// Panics outside of a running loop.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// evloop::block_on(async {
    ///     let (sum, seen) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    ///     for i in 1..=3 {
    ///         let (sum, seen) = (sum.clone(), seen.clone());
    ///         evloop::spawn(async move { i }).on_done(move |output| {
    ///             sum.set(sum.get() + output.unwrap());
    ///             seen.set(seen.get() + 1);
    ///         });
    ///     }
    ///     while seen.get() < 3 {
    ///         evloop::task::yield_now().await;
    ///     }
    ///     assert_eq!(sum.get(), 6);
    /// });
    /// ```
    #[track_caller]
    pub fn on_done(self, f: impl FnOnce(Result<T, JoinError>) + 'static) {
        let executor = &context::expect("JoinHandle::on_done").executor;
        drop(executor.spawn(async move { f(self.await) }, SpawnOptions::here()));
    }
}
