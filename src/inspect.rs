//! L4: the thread that watches the loops of the process, and answers questions about them.
//!
//! | file | holds |
//! |---|---|
//! | `thread` | the start of the thread, and its loop |
//! | `holds` | the watchdog: tasks that hold a loop for too long |
//! | `kernel` | what the system knows about a thread |
//! | `server`, `client`, `socket_file`, `bell` | the Unix socket, and one connection to it |
//! | `answer`, `tables`, `sampling` | the answers, one command or more each |
//! | `trace`, `poll_times` | the answers with exact times of polls |
//! | `recorder` | the exact times of polls, while a client asks |
//! | `shared`, `loops` | what all answers share |
//! | `snapshots` | copies of a loop's tables, on their way to this thread |
//! | `json` | writing the answers |
//!
//! A client sends one line, `evloop 1 COMMAND [ARGUMENT]`, and reads until the end of the stream.
//! The answer is JSON, one object a line; the first describes the process. The commands `status`
//! and `sample` ask no loop: they are answered while a loop is stuck. Invariant: the thread never
//! waits for a loop, nor for a client.

#[cfg(unix)]
mod answer;
#[cfg(unix)]
mod bell;
#[cfg(unix)]
mod client;
mod holds;
#[cfg(unix)]
mod json;
mod kernel;
#[cfg(unix)]
mod loops;
#[cfg(unix)]
mod poll_times;
#[cfg(unix)]
mod recorder;
#[cfg(unix)]
mod sampling;
#[cfg(unix)]
mod server;
#[cfg(not(unix))]
#[path = "inspect/no_server.rs"]
mod server;
#[cfg(unix)]
mod shared;
#[cfg(unix)]
mod snapshots;
#[cfg(unix)]
mod socket_file;
#[cfg(unix)]
mod tables;
mod thread;
#[cfg(unix)]
mod trace;

pub(crate) use self::thread::{end, start};
