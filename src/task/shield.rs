//! Work that runs on when the future that awaits it is dropped.

use std::fmt;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::context;
use crate::executor::{JoinHandle, SpawnOptions};

/// Lets a task run on when the future that awaits it is dropped: asyncio's `shield`.
///
/// Dropping a [`JoinHandle`] detaches its task already, unless
/// [`abort_on_drop`](JoinHandle::abort_on_drop) was called: `shield` undoes that call. For a block
/// of code that is no task yet, use [`shielded`].
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

/// The future that [`shielded`] returns: waits for the output of the block.
#[must_use = "the block runs, but its output is dropped: await it"]
pub struct Shielded<T>(JoinHandle<T>);

/// Runs a block to its end even if the future that awaits it is dropped: trio's
/// `CancelScope(shield=True)`.
///
/// The block begins inside this call and runs up to its first await that waits, as an
/// [eager](super::Builder::eager) task. Then it runs as a task of its own, beside the caller: so it
/// must own what it uses, it has an own [`task::current`](super::current), and it sees a task-local
/// only by [`inherit`](super::LocalKey::inherit). A timeout or a `select!` around the returned
/// future drops that future alone.
///
/// Only the end of the loop, or an abort of the block's own task, ends the block early.
///
/// # Panics
///
/// Panics outside of a running loop. A panic of the block is resumed where the future is awaited;
/// if that was dropped, it goes to the loop's
/// [`on_task_error`](crate::runtime::Builder::on_task_error).
///
/// # Cancel safety
///
/// Dropping the future does not stop the block.
///
/// ```
/// use std::{cell::Cell, rc::Rc, time::Duration};
///
/// use evloop::task::{shielded, yield_now};
/// use evloop::time::{sleep, timeout};
///
/// evloop::block_on(async {
///     let is_saved = Rc::new(Cell::new(false));
///     let set = is_saved.clone();
///     let request = async move {
///         shielded(async move {
///             sleep(Duration::from_millis(2)).await;
///             set.set(true);
///         })
///         .await;
///     };
///     assert!(timeout(Duration::ZERO, request).await.is_err());
///     sleep(Duration::from_millis(3)).await;
///     while !is_saved.get() {
///         yield_now().await;
///     }
/// });
/// ```
#[track_caller]
pub fn shielded<F: Future + 'static>(future: F) -> Shielded<F::Output> {
    let options = SpawnOptions { is_eager: true, ..SpawnOptions::here() };
    Shielded(context::expect("task::shielded").executor.spawn(future, options))
}

impl<T> Future for Shielded<T> {
    type Output = T;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match ready!(Pin::new(&mut self.0).poll(cx)) {
            Ok(output) => Poll::Ready(output),
            Err(error) => match error.try_into_panic() {
                Ok(payload) => resume_unwind(payload),
                Err(error) => panic!("a shielded block did not end: {error}"),
            },
        }
    }
}

impl<T> fmt::Debug for Shielded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shielded").field(&self.0).finish()
    }
}
