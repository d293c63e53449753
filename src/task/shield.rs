//! Waiting for a task without holding its life.

use crate::executor::JoinHandle;

/// Lets a task go on when the one who awaits it is dropped: asyncio's `shield`.
///
/// A [`JoinHandle`] that is dropped detaches its task already, unless
/// [`abort_on_drop`](JoinHandle::abort_on_drop) was called: this undoes that.
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
