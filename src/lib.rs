#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]

mod caught;
mod clock;
mod current;
mod io_error;
mod reactor;
mod sys;
mod threads;
mod wait;

// L2, L3: the tasks of a loop; the loop of a thread.
mod context;
mod executor;

// L4: the public rooms.
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
