//! Callbacks on the end of a task.

use crate::context;
use crate::executor::{Birth, JoinError, JoinHandle};

impl<T: 'static> JoinHandle<T> {
    /// Calls `f` with the output when the task has ended, in a detached task of its own: asyncio's
    /// `add_done_callback`, gevent's `link`.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
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
    #[doc(alias = "add_done_callback")]
    #[doc(alias = "link")]
    #[track_caller]
    pub fn on_done(self, f: impl FnOnce(Result<T, JoinError>) + 'static) {
        let executor = &context::expect("JoinHandle::on_done").executor;
        drop(executor.spawn(async move { f(self.await) }, Birth::here()));
    }
}
