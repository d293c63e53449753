//! A time limit of a future.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use super::sleep::{Sleep, now, sleep, sleep_until};
use crate::current::{Grace, budget};

/// The error of a future that reached its time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(());

/// Limits `future` to the time `duration`, counted from its first poll.
///
/// The future is polled before the limit is checked: a future that is ready at once is never too
/// late, and needs neither a timer nor a read of the clock.
///
/// # Errors
///
/// [`Elapsed`] if the limit is reached; then the future has been dropped.
///
/// # Cancel safety
///
/// That of `future`: when the limit is reached, or this future is dropped, `future` is dropped at
/// an await.
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
pub fn timeout<F: Future>(
    duration: Duration,
    future: F,
) -> impl Future<Output = Result<F::Output, Elapsed>> {
    limit(future, move || (!duration.is_zero()).then(|| sleep(duration)))
}

/// Limits `future` to the time until `deadline`.
///
/// # Errors
///
/// [`Elapsed`] if the deadline has passed before the future is ready.
///
/// # Cancel safety
///
/// That of `future`.
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

/// Runs `future` with a limit. `remaining` is called once the future has returned `Pending`. It
/// returns the sleep until the limit, or `None` if no time is left.
async fn limit<F: Future>(
    future: F,
    remaining: impl Fn() -> Option<Sleep>,
) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    // The sleep until the limit, and the extra polls for a future that lacked budget. Created once
    // the future was `Pending`.
    let mut waiting = None;
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let (sleep, grace) = waiting.get_or_insert_with(|| (remaining(), Grace::default()));
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
