//! Waiting for some of the tasks of a set.

use std::time::Duration;

use super::join_set::JoinSet;
use crate::executor::JoinError;
use crate::time::timeout;

/// The condition on which [`wait`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnWhen {
    /// When one task has ended: asyncio's `FIRST_COMPLETED`.
    FirstCompleted,
    /// When one task has panicked or was aborted, otherwise when all have ended: asyncio's
    /// `FIRST_EXCEPTION`.
    #[doc(alias = "FIRST_EXCEPTION")]
    FirstException,
    /// When all tasks have ended: asyncio's `ALL_COMPLETED`.
    #[doc(alias = "ALL_COMPLETED")]
    All,
    /// When this number of tasks has ended, or all: gevent's `joinall(count=)`.
    Count(usize),
}

impl ReturnWhen {
    /// Returns whether these outputs, the last of which is new, end the wait.
    fn is_enough<T>(self, outputs: &[Result<T, JoinError>]) -> bool {
        match self {
            ReturnWhen::FirstCompleted => !outputs.is_empty(),
            ReturnWhen::FirstException => outputs.last().is_some_and(Result::is_err),
            ReturnWhen::All => false,
            ReturnWhen::Count(count) => outputs.len() >= count,
        }
    }
}

/// Waits for tasks of a set, at most for `limit`, and returns the outputs of those that ended, in
/// the order in which they ended. The other tasks stay in the set and run on.
///
/// The end of the limit is no error: the outputs of the tasks that have ended by then are returned.
///
/// # Cancel safety
///
/// Not cancel safe: dropping the future drops the outputs that it has taken. With
/// [`ReturnWhen::FirstCompleted`] it takes the outputs at the moment at which it completes, so none
/// is lost.
///
/// ```
/// use evloop::task::{self, JoinSet, ReturnWhen};
///
/// evloop::block_on(async {
///     let mut set = JoinSet::new();
///     set.spawn(async { 1 });
///     set.spawn(std::future::pending());
///     let done = task::wait(&mut set, ReturnWhen::FirstCompleted, None).await;
///     assert_eq!((done.len(), set.len()), (1, 1));
/// });
/// ```
pub async fn wait<T>(
    set: &mut JoinSet<T>,
    when: ReturnWhen,
    limit: Option<Duration>,
) -> Vec<Result<T, JoinError>> {
    let mut outputs = Vec::new();
    let enough = async {
        while !when.is_enough(&outputs) {
            let Some(output) = set.join_next().await else { break };
            outputs.push(output);
        }
    };
    match limit {
        // The tasks that are left in the set show whether the limit was reached.
        Some(limit) => drop(timeout(limit, enough).await),
        None => enough.await,
    }
    outputs.extend(std::iter::from_fn(|| set.try_join_next()));
    outputs
}
