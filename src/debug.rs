//! Shows what the tasks of a loop do, and what they wait for.
//!
//! | item | purpose |
//! |---|---|
//! | [`dump`](dump()) | all tasks as text: a tree by parent, with what each waits for; deadlocks |
//! | [`WaitsOn`] | which task, timer, descriptor or lock a task waits on |
//!
//! [`task::all`](crate::task::all) and [`task::iter`](crate::task::iter()) list the tasks;
//! [`Metrics`](crate::runtime::Metrics) counts them. [Debug
//! mode](crate::runtime::Builder::debug) reports mistakes while they happen.
//!
//! ```
//! use evloop::{debug, sync::Event, task};
//!
//! evloop::block_on(async {
//!     let event = Event::new();
//!     let _waiter = evloop::spawn(async move { event.wait().await });
//!     task::yield_now().await;
//!     assert!(debug::dump().contains("waits for an event at "));
//! });
//! ```

// Layer L4. Invariant: looking at a loop changes nothing in it, and calls no user code.

mod deadlock;
mod dump;
mod waits_on;

#[doc(alias = "print_call_graph")]
#[doc(alias = "print_run_info")]
#[doc(alias = "all_tasks")]
#[doc(alias = "Handle::dump")]
#[doc(alias = "GreenletTree")]
pub use self::dump::dump;
#[cfg(feature = "sim")]
pub(crate) use self::dump::task_lines;
pub use crate::context::WaitsOn;
