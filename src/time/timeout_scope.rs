//! A limit that can be moved while it runs.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, Waker, ready};
use std::time::{Duration, Instant};

use super::sleep::{Sleep, now, sleep_until};
use super::timeout::Elapsed;
use crate::clock;
use crate::current::budget;
use crate::wait::keep;

/// The limit of a [`timeout_scope`]; given to its body. Clones are the same limit.
#[derive(Clone)]
#[doc(alias = "Timeout")]
pub struct TimeoutScope {
    limit: Rc<Limit>,
}

struct Limit {
    /// `None`: there is no limit now.
    deadline: Cell<Option<Instant>>,
    /// Of who awaits the scope, to look at a new deadline.
    waiter: Cell<Option<Waker>>,
    is_elapsed: Cell<bool>,
}

/// Gives `body` the time `duration`, counted from the first poll, and the means to change that:
/// asyncio's `timeout`.
///
/// # Errors
///
/// [`Elapsed`] if the deadline has come before the body is done; then the body has been dropped at
/// an await.
///
/// # Cancel safety
///
/// As the body's.
///
/// ```
/// use evloop::time::{now, sleep, timeout_scope};
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     let result = timeout_scope(Duration::from_millis(1), async |t| {
///         t.reschedule(now() + Duration::from_secs(60));
///         sleep(Duration::from_millis(3)).await;
///         "had time"
///     });
///     assert_eq!(result.await, Ok("had time"));
/// });
/// ```
#[doc(alias = "timeout")]
#[doc(alias = "move_on_after")]
#[doc(alias = "fail_after")]
pub async fn timeout_scope<T>(
    duration: Duration,
    body: impl AsyncFnOnce(TimeoutScope) -> T,
) -> Result<T, Elapsed> {
    let deadline = Cell::new(Some(clock::add(now(), duration)));
    let limit = Rc::new(Limit { deadline, waiter: Cell::new(None), is_elapsed: Cell::new(false) });
    let _end = End(&limit);
    let mut body = pin!(body(TimeoutScope { limit: limit.clone() }));
    // With the deadline as it was given: a sleep's own may be rounded.
    let mut sleep: Option<(Instant, Sleep)> = None;
    let mut grace = budget::Grace::default();
    poll_fn(|cx| {
        if let Poll::Ready(output) = body.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        keep(&limit.waiter, cx.waker());
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
        Poll::Ready(Err(Elapsed::new()))
    })
    .await
}

/// Forgets who awaits the scope, once nobody does.
struct End<'a>(&'a Limit);

impl Drop for End<'_> {
    fn drop(&mut self) {
        drop(self.0.waiter.take());
    }
}

impl TimeoutScope {
    /// When the limit comes; `None` if there is none.
    #[doc(alias = "when")]
    pub fn deadline(&self) -> Option<Instant> {
        self.limit.deadline.get()
    }

    /// Moves the limit to `deadline`, or, with `None`, takes it away. From anywhere on the thread,
    /// as long as the scope runs.
    pub fn reschedule(&self, deadline: impl Into<Option<Instant>>) {
        self.limit.deadline.set(deadline.into());
        if let Some(waiter) = self.limit.waiter.take() {
            waiter.wake();
        }
    }

    /// Whether the limit came before the body was done.
    #[doc(alias = "expired")]
    pub fn is_elapsed(&self) -> bool {
        self.limit.is_elapsed.get()
    }
}

impl fmt::Debug for TimeoutScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeoutScope").field("deadline", &self.deadline()).finish_non_exhaustive()
    }
}
