//! A time limit that can be moved while it runs.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use super::limit::{self, Limit};
use super::sleep::{Sleep, now, sleep_until};
use super::timeout::Elapsed;
use crate::clock;
use crate::current::budget;
use crate::wait::store_waker;

/// The limit of a [`timeout_scope`], which passes it to its body. Clones share the limit.
///
/// An idle time-out is a limit that each received byte moves:
///
#[cfg_attr(feature = "streams", doc = "```")]
#[cfg_attr(not(feature = "streams"), doc = "```ignore")]
/// use evloop::StreamReader;
/// use evloop::time::{Elapsed, now, timeout_scope};
/// use std::{io, time::Duration};
///
/// /// Reads to the end; fails if nothing comes for the time `idle`.
/// async fn read_all(reader: &mut StreamReader, idle: Duration) -> io::Result<usize> {
///     let mut received = 0;
///     let read: Result<io::Result<()>, Elapsed> = timeout_scope(idle, async |limit| {
///         while let bytes @ [_, ..] = &*reader.read(4096).await? {
///             received += bytes.len();
///             limit.reschedule(now() + idle);
///         }
///         Ok(())
///     })
///     .await;
///     read??;
///     Ok(received)
/// }
///
/// evloop::block_on(async {
///     let (one, other) = evloop::io::duplex(64);
///     let (mut reader, _writer) = evloop::streams::from_io(one);
///     let (_reader, writer) = evloop::streams::from_io(other);
///     writer.write("hello");
///     let error = read_all(&mut reader, Duration::from_millis(2)).await.unwrap_err();
///     assert_eq!(error.kind(), io::ErrorKind::TimedOut);
/// });
/// ```
///
/// ```
/// use evloop::time::{TimeoutScope, timeout_scope};
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     let result = timeout_scope(Duration::from_secs(60), async |t: TimeoutScope| {
///         t.reschedule(None);
///         t.deadline()
///     });
///     assert_eq!(result.await, Ok(None));
/// });
/// ```
#[derive(Clone)]
pub struct TimeoutScope {
    limit: Rc<Limit>,
}

/// Limits `body` to the time `duration`, counted from the first poll, and passes it a
/// [`TimeoutScope`] with which it can change the limit: asyncio's `timeout`. [`TimeoutScope`] shows
/// an idle time-out.
///
/// # Errors
///
/// [`Elapsed`] if the deadline has passed before the body completes; then the body has been dropped
/// at an await.
///
/// # Cancel safety
///
/// That of the body.
///
/// ```
/// use evloop::time::{now, sleep, timeout_scope};
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     let result = timeout_scope(Duration::from_millis(1), async |t| {
///         t.reschedule(now() + Duration::from_secs(60));
///         sleep(Duration::from_millis(3)).await;
///         "in time"
///     });
///     assert_eq!(result.await, Ok("in time"));
/// });
/// ```
pub fn timeout_scope<T>(
    duration: Duration,
    body: impl AsyncFnOnce(TimeoutScope) -> T,
) -> impl Future<Output = Result<T, Elapsed>> {
    run(body, move || clock::add(now(), duration), move || Elapsed::after(duration))
}

/// Limits `body` to the time until `deadline`. In all else this is as [`timeout_scope`].
///
/// # Errors
///
/// [`Elapsed`] if the deadline has passed before the body completes.
///
/// # Cancel safety
///
/// That of the body.
///
/// ```
/// use evloop::time::{now, timeout_scope_at};
///
/// evloop::block_on(async {
///     let late = timeout_scope_at(now(), async |_| std::future::pending::<()>().await).await;
///     assert_eq!(late.unwrap_err().to_string(), "the deadline has passed");
/// });
/// ```
pub fn timeout_scope_at<T>(
    deadline: Instant,
    body: impl AsyncFnOnce(TimeoutScope) -> T,
) -> impl Future<Output = Result<T, Elapsed>> {
    run(body, move || deadline, Elapsed::at_deadline)
}

/// Runs `body` with a limit. `begin` returns the first deadline, and `elapsed` the error if the
/// limit is still that one when it is reached.
async fn run<T>(
    body: impl AsyncFnOnce(TimeoutScope) -> T,
    begin: impl FnOnce() -> Instant,
    elapsed: impl Fn() -> Elapsed,
) -> Result<T, Elapsed> {
    let first = begin();
    let limit = Rc::new(Limit::new(first));
    let _clear_waiter = ClearWaiter(&limit);
    let mut body = pin!(body(TimeoutScope { limit: limit.clone() }));
    // With the exact deadline: the sleep's own may be rounded to the clock.
    let mut sleep: Option<(Instant, Sleep)> = None;
    let mut grace = budget::Grace::default();
    poll_fn(|cx| {
        let poll_end = limit::begin_poll(&limit);
        if let Poll::Ready(output) = body.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        drop(poll_end);
        store_waker(&limit.waiter, cx.waker());
        let Some(deadline) = limit.deadline.get() else {
            sleep = None;
            return Poll::Pending;
        };
        match &mut sleep {
            Some((armed, _)) if *armed == deadline => {}
            Some((armed, sleep)) => {
                *armed = deadline;
                sleep.reset(deadline);
            }
            None => sleep = (deadline > now()).then(|| (deadline, sleep_until(deadline))),
        }
        if let Some((_, sleep)) = &mut sleep {
            ready!(Pin::new(sleep).poll(cx));
        }
        ready!(grace.poll(cx));
        budget::spend();
        limit.is_elapsed.set(true);
        Poll::Ready(Err(if deadline == first { elapsed() } else { Elapsed::at_deadline() }))
    })
    .await
}

/// Removes the stored waker when the scope ends, so that `reschedule` wakes no task that has moved
/// on.
struct ClearWaiter<'a>(&'a Limit);

impl Drop for ClearWaiter<'_> {
    fn drop(&mut self) {
        drop(self.0.waiter.take());
    }
}

impl TimeoutScope {
    /// Returns when the limit is reached; `None` if there is no limit.
    #[doc(alias = "when")]
    pub fn deadline(&self) -> Option<Instant> {
        self.limit.deadline.get()
    }

    /// Moves the limit to `deadline`; `None` removes it. Any task on the thread may call this while
    /// the scope runs.
    pub fn reschedule(&self, deadline: impl Into<Option<Instant>>) {
        self.limit.deadline.set(deadline.into());
        if let Some(waiter) = self.limit.waiter.take() {
            waiter.wake();
        }
    }

    /// Returns whether the limit was reached before the body completed.
    #[doc(alias = "expired")]
    #[doc(alias = "cancelled_caught")]
    pub fn is_elapsed(&self) -> bool {
        self.limit.is_elapsed.get()
    }
}

impl fmt::Debug for TimeoutScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeoutScope").field("deadline", &self.deadline()).finish_non_exhaustive()
    }
}
