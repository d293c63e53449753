//! A callback for the end of a task, and `shield`.

use crate::context;
use crate::executor::{JoinError, JoinHandle, SpawnOptions};

impl<T: 'static> JoinHandle<T> {
    /// Calls `f` with the output when the task has ended: asyncio's `add_done_callback`, gevent's
    /// `link`.
    ///
    /// `f` runs in a detached task of its own.
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
    #[doc(alias = "add_done_callback")]
    #[doc(alias = "link")]
    #[track_caller]
    pub fn on_done(self, f: impl FnOnce(Result<T, JoinError>) + 'static) {
        let executor = &context::expect("JoinHandle::on_done").executor;
        drop(executor.spawn(async move { f(self.await) }, SpawnOptions::here()));
    }
}

/// Lets a task run on when the future that awaits it is dropped: asyncio's `shield`.
///
/// Dropping a [`JoinHandle`] detaches its task already, unless
/// [`abort_on_drop`](JoinHandle::abort_on_drop) was called: `shield` undoes that call.
///
/// ```
/// use evloop::{task, time};
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     let (sender, receiver) = evloop::sync::oneshot::channel();
///     let saving = evloop::spawn(async move {
///         time::sleep(Duration::from_millis(3)).await;
///         sender.send("saved").unwrap();
///     });
///     let late = time::timeout(Duration::ZERO, task::shield(saving.abort_on_drop())).await;
///     assert!(late.is_err());
///     assert_eq!(receiver.await, Ok("saved"));
/// });
/// ```
pub fn shield<T>(handle: JoinHandle<T>) -> JoinHandle<T> {
    handle.detach_on_drop()
}
