//! Streams of the values that an async function yields.
//!
//! Invariant: `body` is `Some` only between two polls, so a stream whose body panics or returns has
//! ended.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_core::{FusedStream, Stream};

use super::exchange::{Co, Exchange, State};
use crate::current::leaf;
use crate::poll_with::lazy;

/// A stream of the values that an async function yields; made by [`stream()`].
///
/// It is a [`Stream`] that is fused, for the combinators of other crates. For a loop it has
/// [`next`](CoroutineStream::next).
#[must_use = "a stream does nothing until it is polled"]
pub struct CoroutineStream<'a, Out> {
    /// `None` while it runs and after it has ended.
    body: Option<Pin<Box<dyn Future<Output = ()> + 'a>>>,
    exchange: Rc<Exchange<Out, ()>>,
    /// The body was resumed after a `yield_`, and the future of `yield_` has not completed yet.
    is_resumed: bool,
}

/// Returns a stream of the values that `body` yields: an async generator, which Python writes as
/// `async def` with `yield`, trio's `as_safe_channel`.
///
/// The body runs while the next item is awaited: it is suspended at each
/// [`yield_`](Co::yield_) until the item after it is asked for. In between it may await anything.
/// The stream ends when the body returns. The stream may borrow.
///
/// For items that can fail, let the items be results, and return after an error.
///
/// # Panics
///
/// A panic of the body goes through the poll of the stream, which has then ended. In all else
/// `yield_` panics as in a [`Coroutine`](super::Coroutine).
///
/// # Cancel safety
///
/// Dropping the stream drops the variables of the body at the await where it is suspended. No code
/// of the body runs later, in contrast to Python's, which have to be closed by `aclosing`.
///
/// ```
/// use std::time::Duration;
///
/// use evloop::coroutine;
/// use evloop::time::sleep;
///
/// evloop::block_on(async {
///     let words = ["ready", "set", "go"];
///     let mut countdown = coroutine::stream(async |y| {
///         for word in &words {
///             sleep(Duration::from_millis(1)).await;
///             y.yield_(word.len()).await;
///         }
///     });
///     let mut lengths = Vec::new();
///     while let Some(length) = countdown.next().await {
///         lengths.push(length);
///     }
///     assert_eq!(lengths, [5, 3, 2]);
/// });
/// ```
pub fn stream<'a, Out, F>(body: F) -> CoroutineStream<'a, Out>
where
    F: AsyncFnOnce(Co<Out>) + 'a,
    Out: 'a,
{
    let exchange = Exchange::new();
    let co = Co::new(exchange.clone());
    let body = Box::pin(lazy(move || body(co)));
    CoroutineStream { body: Some(body), exchange, is_resumed: false }
}

impl<Out> CoroutineStream<'_, Out> {
    /// Runs the body until it yields the next value. Returns `None` if it ends now or has ended
    /// before: Python's `anext`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no value is lost: the next call goes on where the body is.
    #[doc(alias = "anext")]
    #[doc(alias = "asend")]
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> impl Future<Output = Option<Out>> {
        leaf(move |cx| Pin::new(&mut *self).poll_next(cx))
    }
}

impl<Out> Stream for CoroutineStream<'_, Out> {
    type Item = Out;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Out>> {
        let Some(mut body) = self.body.take() else { return Poll::Ready(None) };
        let is_resumed = mem::take(&mut self.is_resumed) || self.exchange.is_suspended();
        let state = if is_resumed { State::Sent(()) } else { State::Running };
        match self.exchange.poll(body.as_mut(), state, cx) {
            (Poll::Ready(()), _) => Poll::Ready(None),
            (Poll::Pending, State::Yielded(out)) => {
                self.exchange.set(State::Suspended);
                self.body = Some(body);
                Poll::Ready(Some(out))
            }
            (Poll::Pending, state) => {
                self.is_resumed = matches!(state, State::Sent(()));
                self.body = Some(body);
                Poll::Pending
            }
        }
    }
}

impl<Out> FusedStream for CoroutineStream<'_, Out> {
    fn is_terminated(&self) -> bool {
        self.body.is_none()
    }
}

impl<Out> fmt::Debug for CoroutineStream<'_, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoroutineStream")
            .field("is_terminated", &self.is_terminated())
            .finish_non_exhaustive()
    }
}
