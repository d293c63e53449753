//! L4: the loop as its user drives it: `block_on`, `run`, `turn`.
//!
//! Invariant: all ways of running a loop go through `iterate`, the loop's one screen.

mod builder;
mod busy_poll;
mod call;
#[cfg(all(unix, not(mio_unsupported_force_poll_poll)))]
mod embed;
mod event_loop;
mod handle;
mod remote;
mod shutdown;

pub use self::builder::Builder;
pub use self::call::{CallHandle, call_at, call_later, call_soon};
pub use self::event_loop::{EnterGuard, Runtime, Turn, block_on};
pub use self::handle::Handle;
pub use self::remote::RemoteHandle;
pub use self::shutdown::StillRunning;
