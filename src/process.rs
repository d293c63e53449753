//! L4: child processes. Unix.
//!
//! No thread waits for a child: on Linux a descriptor of it (a pidfd) becomes readable when it
//! ends, elsewhere SIGCHLD tells. Invariant: whoever drops what, a process that was started here is
//! reaped, by who waits for it, else by a task of its loop, else when the next one is started.

mod child;
mod child_signal;
mod command;
mod communicate;
mod orphans;
mod running;

pub use std::process::{ExitStatus, Output, Stdio};

pub use self::child::{Child, ChildStderr, ChildStdin, ChildStdout};
pub use self::command::Command;
