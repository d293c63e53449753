//! Futures that hold another one once: one polls it through a closure, one makes it in the first
//! poll.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

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

pin_project! {
    /// The future of [`lazy`].
    #[project = LazyState]
    #[must_use = "a future does nothing unless it is awaited"]
    pub(crate) enum Lazy<S, F> {
        // `None` while `start` runs, and after its panic.
        Start { start: Option<S> },
        Started { #[pin] future: F },
    }
}

/// Calls `start` in the first poll, and polls the future that it returns.
///
/// The result holds what `start` owns, or the future. A block `async move { start().await }` holds
/// both at all times.
pub(crate) fn lazy<S, F>(start: S) -> Lazy<S, F>
where
    S: FnOnce() -> F,
    F: Future,
{
    Lazy::Start { start: Some(start) }
}

impl<S, F> Future for Lazy<S, F>
where
    S: FnOnce() -> F,
    F: Future,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        loop {
            match self.as_mut().project() {
                LazyState::Started { future } => return future.poll(cx),
                LazyState::Start { start } => {
                    let start = start.take().expect("a future is not polled after its panic");
                    let future = start();
                    self.set(Lazy::Started { future });
                }
            }
        }
    }
}

/// Polls `future`, and drops `value` after it.
pub(crate) fn drop_after<F: Future, V>(future: F, value: V) -> impl Future<Output = F::Output> {
    poll_with(future, move |future, cx| {
        let _owned = &value;
        future.poll(cx)
    })
}

/// Polls `future`, drops it once it completes, and then stores its output in `output`.
pub(crate) fn store_output<F: Future>(
    future: F,
    output: &Cell<Option<F::Output>>,
) -> impl Future<Output = ()> {
    poll_with(Some(future), move |mut future, cx| {
        let running = future.as_mut().as_pin_mut().expect(NOT_COMPLETE);
        let ready = ready!(running.poll(cx));
        future.set(None);
        output.set(Some(ready));
        Poll::Ready(())
    })
}

const NOT_COMPLETE: &str = "a future is not polled after it has completed";

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
    use std::pin::pin;
    use std::task::Waker;

    use super::*;

    async fn large() -> u8 {
        let bytes = [7u8; 1000];
        std::future::ready(()).await;
        bytes[0]
    }

    #[test]
    fn the_future_is_held_once() {
        let wrapper = poll_with(large(), |future, cx| future.poll(cx));
        assert_eq!(size_of_val(&wrapper), size_of_val(&large()));
    }

    #[test]
    fn a_future_that_is_made_later_lies_where_the_values_of_its_closure_were() {
        let bytes = [7u8; 1000];
        let mut future = pin!(lazy(move || async move {
            std::future::ready(()).await;
            bytes[0]
        }));
        assert!(size_of_val(&*future) < 1100);
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(future.as_mut().poll(&mut cx), Poll::Ready(7));
    }
}
