//! A time limit of a future.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use super::sleep::{LoopSleep, expect_reactor, now};
use crate::clock;
use crate::current::{Grace, awaited_at, budget};
use crate::poll_with::poll_with;

/// The error of a future that reached its time limit.
///
/// ```
/// use std::{future::pending, time::Duration};
///
/// evloop::block_on(async {
///     let limit = Duration::from_millis(2);
///     let elapsed = evloop::time::timeout(limit, pending::<()>()).await.unwrap_err();
///     assert_eq!(elapsed.duration(), Some(limit));
///     assert_eq!(elapsed.to_string(), "timed out after 2ms");
///     assert_eq!(format!("{elapsed:?}"), "Elapsed(timed out after 2ms)");
/// });
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Elapsed {
    /// In nanoseconds; `NO_DURATION` if the limit was an instant. Small, since a timeout carries it
    /// beside the output of its future.
    nanos: u64,
}

/// Also stands for durations of five centuries.
const NO_DURATION: u64 = u64::MAX;

/// Limits `future` to the time `duration`, counted from its first poll.
///
/// The future is polled before the limit is checked: a future that is ready at once is never too
/// late, and needs neither a timer nor a read of the clock.
///
/// # Errors
///
/// [`Elapsed`] if the limit is reached: then `future` is dropped with the timeout.
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
#[track_caller]
pub fn timeout<F: Future>(
    duration: Duration,
    future: F,
) -> impl Future<Output = Result<F::Output, Elapsed>> {
    limit(future, Nanos(clock::nanos(duration)), Location::caller())
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
///     assert_eq!(late.unwrap_err().to_string(), "the deadline has passed");
/// });
/// ```
#[track_caller]
pub fn timeout_at<F: Future>(
    deadline: Instant,
    future: F,
) -> impl Future<Output = Result<F::Output, Elapsed>> {
    limit(future, deadline, Location::caller())
}

/// The limit of a timeout.
trait Limit: Copy {
    /// Returns the sleep until the limit, or `None` if no time is left. Called once the future has
    /// returned `Pending`.
    fn remaining(self) -> Option<LoopSleep>;

    fn elapsed(self) -> Elapsed;
}

/// A duration in one word, which makes the future of a timeout smaller.
#[derive(Clone, Copy)]
struct Nanos(u64);

impl Limit for Nanos {
    #[inline]
    fn remaining(self) -> Option<LoopSleep> {
        (self.0 > 0).then(|| LoopSleep::after(expect_reactor(), self.0))
    }

    fn elapsed(self) -> Elapsed {
        Elapsed { nanos: self.0 }
    }
}

impl Limit for Instant {
    fn remaining(self) -> Option<LoopSleep> {
        (self > now()).then(|| LoopSleep::until(expect_reactor(), self))
    }

    fn elapsed(self) -> Elapsed {
        Elapsed::at_deadline()
    }
}

/// What a timeout waits for once its future has returned `Pending`.
struct Waiting {
    sleep: Option<LoopSleep>,
    /// The extra polls for a future that lacked budget.
    grace: Grace,
}

/// Runs `future` with a limit. The task waits at `place`.
fn limit<F: Future>(
    future: F,
    limit: impl Limit,
    place: &'static Location<'static>,
) -> impl Future<Output = Result<F::Output, Elapsed>> {
    let mut waiting = None;
    poll_with(future, move |future, cx| match future.poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => awaited_at(place, poll_limit(&mut waiting, limit, cx)).map(Err),
    })
}

/// Out of line, so that each type of future adds only a call of it.
#[inline(never)]
fn poll_limit(
    waiting: &mut Option<Waiting>,
    limit: impl Limit,
    cx: &mut Context<'_>,
) -> Poll<Elapsed> {
    let Waiting { sleep, grace } = waiting
        .get_or_insert_with(|| Waiting { sleep: limit.remaining(), grace: Grace::default() });
    if let Some(sleep) = sleep {
        ready!(sleep.poll(cx));
    }
    ready!(grace.poll(cx));
    budget::spend();
    Poll::Ready(limit.elapsed())
}

impl Elapsed {
    pub(super) fn after(duration: Duration) -> Elapsed {
        Elapsed { nanos: clock::nanos(duration) }
    }

    pub(super) fn at_deadline() -> Elapsed {
        Elapsed { nanos: NO_DURATION }
    }

    /// Returns the time that the future had. Returns `None` if the limit was an instant, as that of
    /// [`timeout_at`], or was [rescheduled](super::TimeoutScope::reschedule).
    pub fn duration(&self) -> Option<Duration> {
        (self.nanos != NO_DURATION).then(|| Duration::from_nanos(self.nanos))
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.duration() {
            Some(duration) => write!(f, "timed out after {duration:?}"),
            None => f.write_str("the deadline has passed"),
        }
    }
}

impl fmt::Debug for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Elapsed({self})")
    }
}

impl Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}
