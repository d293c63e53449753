//! All outputs of many futures, of which a limited number runs at a time.

use std::future::{Future, poll_fn};

use super::running::Running;
use crate::executor::SpawnOptions;

/// Runs futures, at most `limit` at a time, and returns their outputs in the order of the futures:
/// gevent's `Pool.map`.
///
/// The next future is taken from the iterator when one has ended. In all else this is as
/// [`gather`](super::gather()).
///
/// # Panics
///
/// Panics if `limit` is 0, and as [`gather`](super::gather()) does.
///
/// # Cancel safety
///
/// Dropping it drops the futures, and the outputs of those that have completed.
///
/// ```
/// use evloop::{task, time};
/// use std::{cell::Cell, time::Duration};
///
/// evloop::block_on(async {
///     let (running, most) = (Cell::new(0), Cell::new(0));
///     let (running, most) = (&running, &most);
///     let squares = task::gather_limit(2, (1..=5).map(|i| async move {
///         running.set(running.get() + 1);
///         most.set(most.get().max(running.get()));
///         time::sleep(Duration::from_millis(6 - i)).await;
///         running.set(running.get() - 1);
///         i * i
///     }));
///     assert_eq!(squares.await, [1, 4, 9, 16, 25]);
///     assert_eq!(most.get(), 2);
/// });
/// ```
#[track_caller]
pub fn gather_limit<'env, I>(
    limit: usize,
    futures: I,
) -> impl Future<Output = Vec<<I::Item as Future>::Output>>
where
    I: IntoIterator,
    I::Item: Future + 'env,
{
    assert!(limit > 0, "task::gather_limit needs a limit above 0: no future could run");
    let mut running = Running::new(futures.into_iter(), SpawnOptions::here());
    async move {
        let mut outputs = Vec::new();
        while let Some((index, output)) = poll_fn(|cx| running.poll_ended(limit, cx)).await {
            store(&mut outputs, index, output);
        }
        outputs.into_iter().flatten().collect()
    }
}

/// Runs futures, at most `limit` at a time, until the first of them fails. Returns their `Ok`
/// values in the order of the futures.
///
/// The first `Err` drops the other futures and the iterator. In all else this is as
/// [`gather_limit`].
///
/// # Errors
///
/// Returns the first error.
///
/// # Panics
///
/// Panics as [`gather_limit`] does.
///
/// # Cancel safety
///
/// As for [`gather_limit`].
///
/// ```
/// use evloop::task;
///
/// evloop::block_on(async {
///     let parse = |text: &'static str| async move { text.parse::<u8>() };
///     assert_eq!(task::try_gather_limit(1, ["1", "2"].map(parse)).await, Ok(vec![1, 2]));
///     assert!(task::try_gather_limit(1, ["1", "two", "3"].map(parse)).await.is_err());
/// });
/// ```
#[track_caller]
pub fn try_gather_limit<'env, I, T, E>(
    limit: usize,
    futures: I,
) -> impl Future<Output = Result<Vec<T>, E>>
where
    I: IntoIterator,
    I::Item: Future<Output = Result<T, E>> + 'env,
{
    assert!(limit > 0, "task::try_gather_limit needs a limit above 0: no future could run");
    let mut running = Running::new(futures.into_iter(), SpawnOptions::here());
    async move {
        let mut outputs = Vec::new();
        while let Some((index, output)) = poll_fn(|cx| running.poll_ended(limit, cx)).await {
            store(&mut outputs, index, output.transpose()?);
        }
        Ok(outputs.into_iter().flatten().collect())
    }
}

/// Stores the output of the future at `index`.
fn store<T>(outputs: &mut Vec<Option<T>>, index: usize, output: Option<T>) {
    if outputs.len() <= index {
        outputs.resize_with(index + 1, || None);
    }
    outputs[index] = output;
}
