//! Child processes: start, signal, communicate, wait. Unix only.
//!
//! | Item | Purpose |
//! |---|---|
//! | [`Command`] | a program to start: arguments, environment, pipes |
//! | [`Child`] | a started process: wait, signals, [`communicate`](Child::communicate) |
//! | [`ChildStdin`], [`ChildStdout`], [`ChildStderr`] | the pipes of a child |
//! | [`ExitError`] | a process has failed: see [`Command::check_output`] |
//! | [`Pool`], [`PoolBuilder`], [`PoolError`] | worker processes of the own executable |
//! | [`worker()`] | runs the jobs of a pool, in a worker |
//! | [`Stdio`], [`ExitStatus`], [`Output`] | the types of [`std::process`] |
//!
//! No thread waits for a child. On Linux a pidfd, a descriptor of the process, becomes readable
//! when the process ends. On other systems SIGCHLD wakes the tasks that wait. Every child is
//! reaped, even if its [`Child`] is dropped: no zombie stays.
//!
//! ```
//! use evloop::process::{Command, Stdio};
//!
//! evloop::block_on(async {
//!     let mut sort = Command::new("sort");
//!     let mut child = sort.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
//!     let output = child.communicate("b\na\n").await?;
//!     assert!(output.status.success());
//!     assert_eq!(output.stdout, b"a\nb\n");
//!     std::io::Result::Ok(())
//! }).unwrap();
//! ```

// L4. Invariant: every process that was started here is reaped, whatever is dropped: by the future
// that waits for it, else by a task of its loop, else when the next process is started.

mod child;
mod child_signal;
mod command;
mod communicate;
mod exit_error;
mod group;
mod orphans;
mod pool;
mod pool_error;
mod pool_worker;
mod running;
mod start_error;
mod worker;

pub use std::process::{ExitStatus, Output, Stdio};

pub use self::child::{ChildStderr, ChildStdin, ChildStdout};

#[doc(alias = "Popen")]
#[doc(alias = "Process")]
pub use self::child::Child;

#[doc(alias = "Popen")]
#[doc(alias = "create_subprocess_exec")]
#[doc(alias = "open_process")]
#[doc(alias = "run_process")]
#[doc(alias = "subprocess_exec")]
pub use self::command::Command;

#[doc(alias = "CalledProcessError")]
#[doc(alias = "SubprocessError")]
pub use self::exit_error::ExitError;

#[doc(alias = "ProcessPoolExecutor")]
#[doc(alias = "multiprocessing")]
pub use self::pool::Pool;

#[doc(alias = "ProcessPoolExecutor")]
pub use self::pool::PoolBuilder;

#[doc(alias = "BrokenProcessPool")]
#[doc(alias = "BrokenExecutor")]
pub use self::pool_error::PoolError;

#[doc(alias = "freeze_support")]
pub use self::worker::worker;
