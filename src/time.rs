//! Sleeps, time limits and intervals.
//!
//! | item | purpose |
//! |---|---|
//! | [`sleep()`], [`sleep_until`] | wait for a duration, or until an instant |
//! | [`Sleep`] | the future of both; it can be reset |
//! | [`timeout()`], [`timeout_at`] | limit the time of a future |
//! | [`timeout_scope()`], [`TimeoutScope`] | a limit that can be moved while the future runs |
//! | [`timeout_scope_at`] | the same, until an instant |
//! | [`current_deadline`] | the nearest limit around the running code |
//! | [`Elapsed`] | the error of a future that reached its time limit |
//! | [`interval()`], [`interval_at`] | tick at a fixed period |
//! | [`Interval`], [`MissedTick`] | the ticks, and the policy for late ones |
//! | [`DelayQueue`], [`Delay`], [`Expired`] | a queue of values, each with a deadline |
//! | [`now`] | the current time by the loop's clock |
//! | [`system_now`] | the time of day |
//!
//! Deadlines are [`std::time::Instant`]s. A timer never fires early. On an idle loop on Linux, a
//! wait of less than 10 ms ends some tens of microseconds late (up to 66 because of the clock's
//! ticks); longer waits, and waits on other systems, end up to a millisecond late.
//!
//! ```
//! use std::time::Duration;
//!
//! use evloop::time::{interval, sleep, timeout};
//!
//! evloop::block_on(async {
//!     let mut ticks = interval(Duration::from_millis(2));
//!     let work = async {
//!         ticks.tick().await;
//!         ticks.tick().await;
//!         "two ticks"
//!     };
//!     assert_eq!(timeout(Duration::from_secs(10), work).await, Ok("two ticks"));
//!     let late = timeout(Duration::from_millis(1), sleep(Duration::from_secs(10))).await;
//!     assert!(late.is_err());
//! });
//! ```

// Layer L4. The timers themselves are in `reactor::timer_wheel`.

mod delay_queue;
mod interval;
mod limit;
mod send_timeout;
mod sleep;
mod timeout;
mod timeout_scope;

pub use self::delay_queue::{Delay, DelayQueue, Expired};
#[doc(alias = "MissedTickBehavior")]
pub use self::interval::MissedTick;
pub use self::interval::{Interval, interval, interval_at};
#[doc(alias = "current_effective_deadline")]
pub use self::limit::current_deadline;
#[doc(alias = "Timer")]
pub use self::sleep::Sleep;
#[doc(alias = "time")]
#[doc(alias = "current_time")]
pub use self::sleep::now;
pub use self::sleep::sleep;
#[doc(alias = "call_at")]
#[doc(alias = "at")]
pub use self::sleep::sleep_until;
pub use self::sleep::system_now;
#[doc(alias = "TimeoutError")]
#[doc(alias = "TooSlowError")]
#[doc(alias = "TimeoutExpired")]
pub use self::timeout::Elapsed;
#[doc(alias = "wait_for")]
#[doc(alias = "with_timeout")]
#[doc(alias = "settimeout")]
pub use self::timeout::timeout;
#[doc(alias = "fail_at")]
#[doc(alias = "move_on_at")]
pub use self::timeout::timeout_at;
#[doc(alias = "Timeout")]
#[doc(alias = "CancelScope")]
pub use self::timeout_scope::TimeoutScope;
#[doc(alias = "timeout")]
#[doc(alias = "move_on_after")]
#[doc(alias = "fail_after")]
pub use self::timeout_scope::timeout_scope;
#[doc(alias = "timeout_at")]
#[doc(alias = "move_on_at")]
#[doc(alias = "fail_at")]
pub use self::timeout_scope::timeout_scope_at;
