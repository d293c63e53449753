//! L4: child processes. Unix.
//!
//! No thread waits for a child: on Linux a descriptor of it (a pidfd) becomes readable when it
//! ends, elsewhere SIGCHLD tells. Invariant: whoever drops what, a process that was started here is
//! reaped, by who waits for it, else by a task of its loop, else when the next one is started.

mod child;
mod child_signal;
mod command;
mod orphans;
mod running;
mod talk;

pub use std::process::{ExitStatus, Output, Stdio};

pub use self::child::Child;
pub use self::command::Command;
use crate::net::pipe;

/// What a child reads as its standard input. Dropping it ends that.
pub type ChildStdin = pipe::Sender;
/// What a child writes to its standard output. [`streams::from_pipe`](crate::streams::from_pipe)
/// reads it line by line.
pub type ChildStdout = pipe::Receiver;
/// What a child writes to its standard error.
pub type ChildStderr = pipe::Receiver;
