//! A limit on how long a future may take.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use super::sleep::{Sleep, now, sleep, sleep_until};
use crate::current::{Grace, budget};

/// The time was up before the future was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(());

/// Gives `future` the time `duration`, counted from its first poll.
///
/// The future is polled before the limit is looked at: what is ready at once is never too late, and
/// costs neither a timer nor a look at the clock.
///
/// # Errors
///
/// [`Elapsed`] if the time is up; then the future has been dropped.
///
/// # Cancel safety
///
/// As `future`'s: when the limit comes, or this is dropped, the future is dropped at an await.
///
/// ```
/// use evloop::time::{sleep, timeout};
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     assert_eq!(timeout(Duration::ZERO, async { 7 }).await, Ok(7));
///     let late = timeout(Duration::from_millis(2), sleep(Duration::from_secs(60))).await;
///     assert!(late.is_err());
/// });
/// ```
#[doc(alias = "wait_for")]
pub fn timeout<F: Future>(
    duration: Duration,
    future: F,
) -> impl Future<Output = Result<F::Output, Elapsed>> {
    limit(future, move || (!duration.is_zero()).then(|| sleep(duration)))
}

/// Gives `future` the time until `deadline`.
///
/// # Errors
///
/// [`Elapsed`] if the deadline has come before the future is ready.
///
/// # Cancel safety
///
/// As `future`'s.
///
/// ```
/// evloop::block_on(async {
///     let deadline = evloop::time::now();
///     let late = evloop::time::timeout_at(deadline, std::future::pending::<()>()).await;
///     assert_eq!(late.unwrap_err().to_string(), "the time limit was reached");
/// });
/// ```
pub fn timeout_at<F: Future>(
    deadline: Instant,
    future: F,
) -> impl Future<Output = Result<F::Output, Elapsed>> {
    limit(future, move || (deadline > now()).then(|| sleep_until(deadline)))
}

/// `left` is asked once the future was pending; it has nothing to give if no time is left.
async fn limit<F: Future>(
    future: F,
    left: impl Fn() -> Option<Sleep>,
) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    // Made once the future was pending.
    let mut waiting = None;
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let (sleep, grace) = waiting.get_or_insert_with(|| (left(), Grace::default()));
        if let Some(sleep) = sleep {
            ready!(Pin::new(sleep).poll(cx));
        }
        ready!(grace.poll(cx));
        budget::spend();
        Poll::Ready(Err(Elapsed(())))
    })
    .await
}

impl Elapsed {
    pub(super) fn new() -> Elapsed {
        Elapsed(())
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time limit was reached")
    }
}

impl Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}
