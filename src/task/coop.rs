//! The budget of a poll, for futures of other crates.

use std::future::Future;
use std::task::{Context, Poll, ready};

use crate::current::budget;
use crate::poll_with::poll_with;

/// Permits one result of a leaf future; returned by [`poll_proceed`].
///
/// Dropping it without [`made_progress`](Proceed::made_progress) costs nothing.
#[derive(Debug)]
#[must_use = "call `made_progress` once the future is ready: the budget counts results"]
pub struct Proceed(());

/// Runs `future` without a budget: its sockets and channels return results as long as they have
/// some.
///
/// A poll of a task returns at most 128 results of sockets, channels, timers and the like; then its
/// futures are pending until the next poll, so that other tasks run. Inside `unconstrained` this
/// limit does not hold. A future whose input never ends then holds up all other tasks.
///
/// # Cancel safety
///
/// The future that this returns is as cancel safe as `future` is.
///
/// ```
/// use evloop::sync::mpsc;
/// use evloop::task::unconstrained;
///
/// evloop::block_on(async {
///     let (sender, mut receiver) = mpsc::unbounded();
///     (0..1000).for_each(|i| sender.send(i).unwrap());
///     let other = evloop::spawn(async {});
///     unconstrained(async {
///         for i in 0..1000 {
///             assert_eq!(receiver.recv().await, Some(i));
///         }
///     })
///     .await;
///     assert!(!other.is_finished(), "no other task has run");
/// });
/// ```
pub fn unconstrained<F: Future>(future: F) -> impl Future<Output = F::Output> {
    poll_with(future, |future, cx| {
        // The outer budget continues after this poll.
        let _saved = budget::save();
        future.poll(cx)
    })
}

/// Spends a unit of the budget of the running poll, and lets other tasks run if none is left.
///
/// For loops that compute for long: unlike [`yield_now`](super::yield_now()) it costs a turn only
/// once in 128 calls. Works under any executor; outside a loop it does nothing.
///
/// ```
/// use evloop::task::consume_budget;
///
/// evloop::block_on(async {
///     let other = evloop::spawn(async {});
///     let mut sum = 0;
///     for i in 0..1000 {
///         sum += i;
///         consume_budget().await;
///     }
///     assert_eq!(sum, 499_500);
///     assert!(other.is_finished());
/// });
/// ```
pub fn consume_budget() -> impl Future<Output = ()> {
    budget::unit()
}

/// Returns whether the budget of the running poll has a unit left. If not, each socket, channel and
/// timer of this crate is pending until the next poll. Always `true` outside a loop.
///
/// ```
/// assert!(evloop::task::has_budget_remaining());
/// ```
pub fn has_budget_remaining() -> bool {
    budget::is_left()
}

/// Makes `future` spend a unit of the budget when it completes, and wait for the next poll of its
/// task if none is left.
///
/// For a leaf future of another crate that other code can keep ready, such as the receiver of
/// another crate's channel: a task that awaits it in a loop then lets other tasks run.
///
/// # Cancel safety
///
/// The future that this returns is as cancel safe as `future` is.
///
/// ```
/// use evloop::task::cooperative;
///
/// evloop::block_on(async {
///     let other = evloop::spawn(async {});
///     for _ in 0..1000 {
///         cooperative(std::future::ready(())).await;
///     }
///     assert!(other.is_finished());
/// });
/// ```
pub fn cooperative<F: Future>(future: F) -> impl Future<Output = F::Output> {
    poll_with(future, |future, cx| {
        let proceed = ready!(poll_proceed(cx));
        let output = ready!(future.poll(cx));
        proceed.made_progress();
        Poll::Ready(output)
    })
}

/// Returns `Ready` if the budget of the running poll has a unit left; wakes the task otherwise.
///
/// A hand-written leaf future calls it before it does anything, and then
/// [`Proceed::made_progress`] if it is ready.
///
/// ```
/// use std::collections::VecDeque;
/// use std::task::{Context, Poll, ready};
///
/// use evloop::task::poll_proceed;
///
/// fn poll_pop(queue: &mut VecDeque<u32>, cx: &mut Context<'_>) -> Poll<Option<u32>> {
///     let proceed = ready!(poll_proceed(cx));
///     let item = queue.pop_front();
///     proceed.made_progress();
///     Poll::Ready(item)
/// }
///
/// let mut queue = VecDeque::from([7]);
/// let item = evloop::block_on(std::future::poll_fn(|cx| poll_pop(&mut queue, cx)));
/// assert_eq!(item, Some(7));
/// ```
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<Proceed> {
    budget::poll_left(cx).map(Proceed)
}

impl Proceed {
    /// Spends the unit: the future is ready.
    pub fn made_progress(self) {
        budget::spend();
    }
}
