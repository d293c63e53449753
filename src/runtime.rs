//! Creates, runs and embeds an event loop, and reaches it from other threads.
//!
//! | item | purpose |
//! |---|---|
//! | [`block_on`] | runs a future to completion on a new loop, as asyncio's `run` |
//! | [`Runtime`] | a loop that outlives a call of `block_on`, or that another loop drives |
//! | [`Builder`] | configures a `Runtime`: limits, debug mode, handlers |
//! | [`Handle`] | calls functions and spawns tasks on a loop, from any thread |
//! | [`RemoteHandle`] | awaits or joins a task that [`Handle::spawn`] has spawned |
//! | [`call_soon`], [`call_later`], [`call_at`] | call a function from the loop; asyncio's names |
//! | [`CallHandle`] | cancels such a call |
//! | [`Instrument`] | observes the tasks and the waits of a loop |
//! | [`Id`] | distinguishes loops |
//! | [`Metrics`] | how many tasks, timers, sources and threads a loop has |
//! | [`Turn`] | the result of one [`Runtime::turn`] |
//! | [`HostedTurn`] | the result of one [`Runtime::turn_hosted`] |
//! | [`EnterGuard`] | keeps a loop entered; see [`Runtime::enter`] |
//! | [`StillRunning`] | the blocking work that [`Runtime::shutdown_timeout`] has not waited for |
//!
//! ```
//! use std::thread;
//! use std::time::Duration;
//!
//! let mut runtime = evloop::Runtime::builder().name("gateway").build()?;
//! let handle = runtime.handle();
//! let thread = thread::spawn(move || {
//!     handle.call_threadsafe(|| println!("called on the loop's thread"));
//!     handle.stop();
//! });
//! runtime.run()?;
//! thread.join().unwrap();
//! runtime.shutdown_timeout(Duration::from_secs(1))?;
//! # std::io::Result::Ok(())
//! ```

// Layer L4. Invariant: all ways of running a loop go through `Runtime::iterate`, which is one turn;
// a simulated world makes the same turn, and chooses the task before its last step.

mod blocking_threads;
mod builder;
mod busy_poll;
mod call;
mod drive;
#[cfg(all(unix, not(mio_unsupported_force_poll_poll)))]
mod embed;
mod event_loop;
mod handle;
mod hosted;
#[cfg(feature = "inspect")]
mod inspected;
mod metrics;
mod remote;
mod shutdown;
#[cfg(feature = "sim")]
mod simulated;
mod wait;

pub use self::builder::Builder;
#[doc(alias = "TimerHandle")]
pub use self::call::CallHandle;
#[doc(alias = "Timer")]
#[doc(alias = "spawn_later")]
pub use self::call::call_later;
pub use self::call::{call_at, call_soon};
pub use self::drive::Turn;
pub use self::event_loop::EnterGuard;
#[doc(alias = "Runner")]
#[doc(alias = "EventLoop")]
#[doc(alias = "SelectorEventLoop")]
#[doc(alias = "new_event_loop")]
#[doc(alias = "LocalRuntime")]
#[doc(alias = "LocalExecutor")]
#[doc(alias = "Hub")]
#[doc(alias = "LocalSet")]
pub use self::event_loop::Runtime;
#[doc(alias = "run")]
pub use self::event_loop::block_on;
#[doc(alias = "TrioToken")]
#[doc(alias = "BlockingPortal")]
pub use self::handle::Handle;
pub use self::handle::Id;
pub use self::hosted::HostedTurn;
#[doc(alias = "RunStatistics")]
#[doc(alias = "RuntimeMetrics")]
#[doc(alias = "current_statistics")]
#[doc(alias = "num_alive_tasks")]
pub use self::metrics::Metrics;
#[doc(alias = "wrap_future")]
pub use self::remote::RemoteHandle;
pub use self::shutdown::StillRunning;
pub use crate::executor::Instrument;
