//! A future that polls another one through a closure.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

pin_project! {
    /// The future of [`poll_with`].
    #[must_use = "a future does nothing unless it is awaited"]
    pub(crate) struct PollWith<F, P> {
        #[pin]
        future: F,
        // After `future`, so that what it owns is dropped after the future.
        poll: P,
    }
}

/// Polls `future` through `poll`, which may own what the future needs: it is dropped after the
/// future.
///
/// The result holds the future once. An `async fn` that takes a future and pins or awaits it holds
/// it twice, as its argument and as its local, and moves it in the first poll.
#[inline]
pub(crate) fn poll_with<F, P, T>(future: F, poll: P) -> PollWith<F, P>
where
    P: FnMut(Pin<&mut F>, &mut Context<'_>) -> Poll<T>,
{
    PollWith { future, poll }
}

/// Polls `future`, and drops `value` after it.
pub(crate) fn drop_after<F: Future, V>(future: F, value: V) -> impl Future<Output = F::Output> {
    poll_with(future, move |future, cx| {
        let _owned = &value;
        future.poll(cx)
    })
}

impl<F, P, T> Future for PollWith<F, P>
where
    P: FnMut(Pin<&mut F>, &mut Context<'_>) -> Poll<T>,
{
    type Output = T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = self.project();
        (this.poll)(this.future, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_future_is_held_once() {
        let future = async {
            let bytes = [0u8; 1000];
            std::future::ready(()).await;
            bytes[0]
        };
        let size = size_of_val(&future);
        assert_eq!(size_of_val(&poll_with(future, |future, cx| future.poll(cx))), size);
    }
}
