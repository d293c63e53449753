//! Runs crates that need tokio, such as reqwest, sqlx, tonic: two ways to have its runtime beside
//! this loop. Elsewhere such a crate panics with "there is no reactor running, must be called from
//! the context of a Tokio 1.x runtime".
//!
//! | item | purpose |
//! |---|---|
//! | [`block_on`] | runs a future on both runtimes, on one thread: tokio drives this loop |
//! | [`Helper`] | tokio's reactor on a thread of its own, for a program that has a loop already |
//!
//! What runs where:
//!
//! | | under [`block_on`] | with a [`Helper`] |
//! |---|---|---|
//! | the future, tasks of [`evloop::spawn`](crate::spawn) | this thread | this thread |
//! | tasks of `tokio::spawn` | this thread | the helper's thread |
//! | sockets and timers of this crate | usable in all tasks | usable in tasks of the loop |
//! | sockets and timers of tokio | usable in all tasks | in [`Helper::run`] and tasks of tokio |
//! | a wake of a task of the loop by tokio | a function call | a system call, if the loop sleeps |
//!
//! ```
//! use std::time::Duration;
//!
//! let sum = evloop::tokio::block_on(async {
//!     let tokios = tokio::spawn(async {
//!         tokio::time::sleep(Duration::from_millis(2)).await;
//!         2
//!     });
//!     let ours = evloop::spawn(async {
//!         evloop::time::sleep(Duration::from_millis(1)).await;
//!         3
//!     });
//!     tokios.await.unwrap() + ours.await.unwrap()
//! });
//! assert_eq!(sum, 5);
//! ```

// Layer L4. Invariant: tokio's runtime ends before the loop, while the loop is entered; the loop
// ends while tokio's context is entered.

mod helper;
#[cfg(all(unix, not(mio_unsupported_force_poll_poll)))]
mod host;

pub use self::helper::Helper;
#[cfg(all(unix, not(mio_unsupported_force_poll_poll)))]
#[doc(alias = "Compat")]
pub use self::host::block_on;
