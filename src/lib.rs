#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]

// L0: the state of this thread, the clock, what differs between operating systems.
mod caught;
mod clock;
mod current;
mod io_error;
mod sys;

// L1: what other threads and the loop share; how futures wait.
mod threads;
mod wait;

// L2: tasks; sources and timers.
mod executor;
mod reactor;

// L3: the loop of this thread.
mod context;

// L4: the public modules.
mod blocking;
pub mod coroutine;
pub mod fs;
pub mod io;
pub mod net;
#[cfg(all(unix, feature = "process"))]
pub mod process;
pub mod queue;
pub mod runtime;
pub mod shards;
#[cfg(all(unix, feature = "signal"))]
pub mod signal;
pub mod streams;
pub mod sync;
pub mod task;
pub mod time;

// Documentation alone.
pub mod guide;

pub use runtime::{Handle, Runtime, block_on, call_at, call_later, call_soon};
pub use shards::shards;
pub use streams::{Server, StreamReader, StreamWriter, open_connection, start_server};
#[cfg(unix)]
pub use streams::{open_unix_connection, start_unix_server};
pub use task::{JoinHandle, spawn};
