//! Waits until the other tasks of the loop are blocked.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll};

use crate::context::{self, Context};
use crate::current::{self, WaitsFor};
use crate::wait::WaitKey;

/// The future that [`until_idle`] returns.
#[must_use = "until_idle does nothing unless it is awaited"]
pub struct UntilIdle {
    /// The loop of the first poll.
    context: Option<Rc<Context>>,
    key: WaitKey,
}

/// Waits until all other tasks of the loop wait: none is ready, no event has come and no timer is
/// due. trio's `wait_all_tasks_blocked` and gevent's `idle`.
///
/// It makes tests deterministic: a test starts tasks, waits until they have gone as far as they
/// can, and looks at the result. It also serves work of low priority.
///
/// What other threads and processes do is not waited for: a task that awaits blocking work or a
/// socket is blocked. If several tasks wait, all of them continue at the same time, in the order in
/// which they began to wait.
///
/// # Cancel safety
///
/// Dropping the future loses nothing.
///
/// # Panics
///
/// If it is polled outside of a running loop.
///
/// ```
/// use evloop::{sync::mpsc, task};
///
/// evloop::block_on(async {
///     let (sender, receiver) = mpsc::bounded(3);
///     let producer = evloop::spawn(async move {
///         for i in 0.. {
///             sender.send(i).await.unwrap();
///         }
///     });
///     task::until_idle().await;
///     assert_eq!(receiver.len(), 3, "the producer waits for capacity");
///     producer.abort();
/// });
/// ```
pub fn until_idle() -> UntilIdle {
    UntilIdle { context: None, key: WaitKey::default() }
}

impl Future for UntilIdle {
    type Output = ();

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let UntilIdle { context, key } = &mut *self;
        let context = context.get_or_insert_with(|| context::expect("task::until_idle"));
        let idle = &context.idle;
        if idle.poll(key, (), cx, |key| idle.woken(key).is_some()).is_pending() {
            // The loop looks for waiters only when it finds its inbox notified: a loop without
            // waiters pays nothing for them.
            context.inbox.notify();
            return current::pending(WaitsFor::Event);
        }
        let _ = idle.deregister(key);
        self.context = None;
        Poll::Ready(())
    }
}

impl Drop for UntilIdle {
    fn drop(&mut self) {
        if let Some(context) = &self.context {
            let (_, waker) = context.idle.deregister(&mut self.key);
            drop(waker);
        }
    }
}

impl fmt::Debug for UntilIdle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilIdle").finish_non_exhaustive()
    }
}
