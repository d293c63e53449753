//! The first output of several futures of one type.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use super::rotation::Rotation;

/// Runs futures until the first completes. Returns its output and drops the others: gevent's
/// `wait(count=1)`, asyncio's `wait(FIRST_COMPLETED)`, futures-lite's `race`.
///
/// Each is polled on this task in every poll, as by [`select!`](crate::select), which is for
/// futures of different types; its section on fairness applies here, too. For many futures, or to
/// keep those that lose, use a [`JoinSet`](super::JoinSet) or [`wait`](super::wait()).
///
/// # Panics
///
/// Panics if there is no future: it would wait for ever.
///
/// # Cancel safety
///
/// The futures that lose are dropped, as in [`select!`](crate::select). Dropping the future drops
/// all of them.
///
/// ```
/// use std::time::Duration;
///
/// use evloop::{task, time};
///
/// evloop::block_on(async {
///     let servers = [30, 2, 20].map(|milliseconds| async move {
///         time::sleep(Duration::from_millis(milliseconds)).await;
///         milliseconds
///     });
///     assert_eq!(task::race(servers).await, 2);
/// });
/// ```
#[track_caller]
pub fn race<I>(futures: I) -> impl Future<Output = <I::Item as Future>::Output>
where
    I: IntoIterator,
    I::Item: Future,
{
    // A future that has started must not move: each is in an allocation of its own.
    let mut futures: Vec<Pin<Box<I::Item>>> = futures.into_iter().map(Box::pin).collect();
    assert!(!futures.is_empty(), "task::race was called without a future: it would wait for ever");
    let rotation = Rotation::fair();
    async move {
        // Here the rotation has an address: it moves no more.
        let rotation = rotation;
        poll_fn(|cx| {
            let first = rotation.begin(futures.len());
            let (before, from) = futures.split_at_mut(first);
            for future in from.iter_mut().chain(before) {
                if let Poll::Ready(output) = future.as_mut().poll(cx) {
                    return Poll::Ready(output);
                }
            }
            Poll::Pending
        })
        .await
    }
}
