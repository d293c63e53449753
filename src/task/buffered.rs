//! Streams of the outputs of many futures, of which a limited number runs at a time.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::running::Running;
use crate::executor::SpawnOptions;

/// Runs futures, at most `limit` at a time. Returns a stream of their outputs in the order of the
/// futures: gevent's `imap`, the `buffered` of futures.
///
/// The futures run while the stream is polled. Each is a child of a [scope](super::scope()), as in
/// [`gather`](super::gather()). The next future is taken from the iterator when an output was
/// returned: so the stream holds at most `limit` futures and outputs, and a slow future delays the
/// outputs behind it.
///
/// # Panics
///
/// Panics if `limit` is 0, or if it is first polled outside of a running loop. The panic of a
/// future is resumed by the poll.
///
/// # Cancel safety
///
/// Dropping a future that awaits the next output loses nothing. Dropping the stream drops the
/// futures.
///
/// ```
/// use evloop::{task, time};
/// use futures::StreamExt;
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     let mut squares = task::buffered(2, (1..=3).map(|i| async move {
///         time::sleep(Duration::from_millis(4 - i)).await;
///         i * i
///     }));
///     assert_eq!(squares.next().await, Some(1));
///     assert_eq!(squares.collect::<Vec<_>>().await, [4, 9]);
/// });
/// ```
#[track_caller]
pub fn buffered<'env, I>(
    limit: usize,
    futures: I,
) -> impl Stream<Item = <I::Item as Future>::Output> + Unpin
where
    I: IntoIterator,
    I::Item: Future + 'env,
{
    assert!(limit > 0, "task::buffered needs a limit above 0: no future could run");
    let running = Running::new(futures.into_iter(), SpawnOptions::here());
    Buffered { running, limit, early: VecDeque::new(), first: 0, stored: 0 }
}

/// Runs futures, at most `limit` at a time. Returns a stream of their outputs in the order in which
/// they come: gevent's `imap_unordered`, asyncio's `as_completed`.
///
/// In all else this is as [`buffered`].
///
/// # Panics
///
/// Panics as [`buffered`] does.
///
/// # Cancel safety
///
/// As for [`buffered`].
///
/// ```
/// use evloop::{task, time};
/// use futures::StreamExt;
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     let squares = task::buffer_unordered(3, (1..=3).map(|i| async move {
///         time::sleep(Duration::from_millis(10 * (4 - i))).await;
///         i * i
///     }));
///     assert_eq!(squares.collect::<Vec<_>>().await, [9, 4, 1]);
/// });
/// ```
#[track_caller]
pub fn buffer_unordered<'env, I>(
    limit: usize,
    futures: I,
) -> impl Stream<Item = <I::Item as Future>::Output> + Unpin
where
    I: IntoIterator,
    I::Item: Future + 'env,
{
    assert!(limit > 0, "task::buffer_unordered needs a limit above 0: no future could run");
    Unordered { running: Running::new(futures.into_iter(), SpawnOptions::here()), limit }
}

/// The outputs in the order of the futures.
struct Buffered<'env, I: Iterator<Item: Future>> {
    running: Running<'env, I>,
    limit: usize,
    /// The ends of the futures from `first` on. `None` if a future has not ended.
    early: VecDeque<Option<Ended<<I::Item as Future>::Output>>>,
    /// The index of the next output.
    first: usize,
    /// The number of ends in `early`.
    stored: usize,
}

/// The output of a future that has ended. `None` if it was aborted.
type Ended<T> = Option<T>;

/// The outputs in the order in which they come.
struct Unordered<'env, I: Iterator<Item: Future>> {
    running: Running<'env, I>,
    limit: usize,
}

// Neither pins its iterator, and the futures are in allocations of their own.
impl<I: Iterator<Item: Future>> Unpin for Buffered<'_, I> {}
impl<I: Iterator<Item: Future>> Unpin for Unordered<'_, I> {}

impl<'env, I> Stream for Buffered<'env, I>
where
    I: Iterator,
    I::Item: Future + 'env,
{
    type Item = <I::Item as Future>::Output;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(Some(_)) = this.early.front() {
                this.first += 1;
                this.stored -= 1;
                let output = this.early.pop_front().flatten().flatten();
                if output.is_some() {
                    return Poll::Ready(output);
                }
                continue;
            }
            // What was stored counts, too.
            let limit = this.limit - this.stored;
            let Some((index, output)) = ready!(this.running.poll_ended(limit, cx)) else {
                return Poll::Ready(None);
            };
            let place = index - this.first;
            if this.early.len() <= place {
                this.early.resize_with(place + 1, || None);
            }
            this.early[place] = Some(output);
            this.stored += 1;
        }
    }
}

impl<'env, I> Stream for Unordered<'env, I>
where
    I: Iterator,
    I::Item: Future + 'env,
{
    type Item = <I::Item as Future>::Output;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while let Some((_, output)) = ready!(this.running.poll_ended(this.limit, cx)) {
            // An aborted future has no output.
            if output.is_some() {
                return Poll::Ready(output);
            }
        }
        Poll::Ready(None)
    }
}
