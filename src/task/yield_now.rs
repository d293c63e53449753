//! Lets other tasks run.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The future that [`yield_now`] returns. It waits until the other ready tasks have run.
#[derive(Debug)]
#[must_use = "yield_now does nothing unless it is awaited"]
pub struct YieldNow {
    has_yielded: bool,
}

/// Lets all ready tasks run, then returns: asyncio's `sleep(0)`.
///
/// Works under any executor.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
///
/// evloop::block_on(async {
///     let ran = Rc::new(Cell::new(false));
///     let set = ran.clone();
///     let _task = evloop::spawn(async move { set.set(true) });
///     assert!(!ran.get());
///     evloop::task::yield_now().await;
///     assert!(ran.get());
/// });
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow { has_yielded: false }
}

impl Future for YieldNow {
    type Output = ();

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_yielded {
            return Poll::Ready(());
        }
        self.has_yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
