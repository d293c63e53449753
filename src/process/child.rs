//! A handle of a started process.

use std::fmt;
use std::io;
use std::process::{self, ExitStatus, Output};
use std::rc::Rc;
use std::time::Duration;

use rustix::process::Signal;

use super::communicate::Communicate;
use super::orphans;
use super::running::Running;
use crate::context::Context;
use crate::current::budget;
use crate::net::pipe::{self, Receiver, Sender};
use crate::signal::SignalKind;
use crate::time::timeout;

/// A child process.
///
/// [`Command::spawn`](super::Command::spawn) and
/// [`spawn_async`](super::Command::spawn_async) create it.
///
/// If a `Child` is dropped, the process runs on, unless
/// [`kill_on_drop`](super::Command::kill_on_drop) is set. In both cases a task of the loop, named
/// `reaper of process N`, reaps the process, so that no zombie stays.
///
/// ```
/// use evloop::process::{Command, Stdio};
///
/// evloop::block_on(async {
///     let mut child = Command::new("tr").args(["a-z", "A-Z"])
///         .stdin(Stdio::piped())
///         .stdout(Stdio::piped())
///         .spawn()?;
///     let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
///     stdin.write_all(b"hello").await?;
///     drop(stdin);
///     let mut buf = [0; 5];
///     stdout.read_exact(&mut buf).await?;
///     assert_eq!(&buf, b"HELLO");
///     assert!(child.wait().await?.success());
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[must_use = "a child that is dropped runs on, and its exit status is lost"]
pub struct Child {
    /// The pipe to its standard input, if it was piped. `wait` closes it: take it out to keep it
    /// open.
    pub stdin: Option<ChildStdin>,
    /// The pipe from its standard output, if it was piped.
    pub stdout: Option<ChildStdout>,
    /// The pipe from its standard error, if it was piped.
    pub stderr: Option<ChildStderr>,
    id: u32,
    kill_on_drop: bool,
    state: State,
    communicate: Communicate,
}

enum State {
    Running(Running),
    Ended(ExitStatus),
}

impl Child {
    /// Registers a process with the loop. If that fails, the process is killed.
    pub(super) fn new(
        mut process: process::Child,
        context: &Rc<Context>,
        kill_on_drop: bool,
    ) -> io::Result<Child> {
        let reactor = &context.reactor;
        let (id, stdin) = (process.id(), process.stdin.take());
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        let running = Running::new(process, context).map_err(|(mut process, error)| {
            // `kill` fails only for a process that has ended.
            let _ = process.kill();
            orphans::reap_later(process);
            error
        })?;
        let mut child = Child {
            stdin: None,
            stdout: None,
            stderr: None,
            id,
            // An error below drops the child: it is killed then.
            kill_on_drop: true,
            state: State::Running(running),
            communicate: Communicate::default(),
        };
        child.stdin = stdin.map(|pipe| Sender::of_child(pipe, reactor)).transpose()?;
        child.stdout = stdout.map(|pipe| Receiver::of_child(pipe, reactor)).transpose()?;
        child.stderr = stderr.map(|pipe| Receiver::of_child(pipe, reactor)).transpose()?;
        child.kill_on_drop = kill_on_drop;
        Ok(child)
    }

    /// Returns the process id. After the process was waited for, the system may reuse the id.
    #[doc(alias = "pid")]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Waits until the process has ended, and returns its exit status. Later calls return the same
    /// status.
    ///
    /// First it closes `stdin` if it was not taken out, since a child that reads its input would
    /// not end. It does not read the outputs: a child that writes more than the capacity of a pipe,
    /// 64 KiB on Linux, blocks until its output is read; see [`communicate`](Child::communicate).
    ///
    /// # Errors
    ///
    /// ECHILD if the process was reaped elsewhere. In a program that ignores SIGCHLD, the system
    /// reaps every child.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next call returns the status.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.stdin = None;
        match &mut self.state {
            State::Ended(status) => {
                budget::unit().await;
                Ok(*status)
            }
            State::Running(running) => {
                let status = running.reaped().await?;
                self.state = State::Ended(status);
                Ok(status)
            }
        }
    }

    /// Returns the exit status if the process has ended, else `None`.
    ///
    /// # Errors
    ///
    /// As [`wait`](Child::wait).
    #[doc(alias = "returncode")]
    #[doc(alias = "poll")]
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if let State::Running(running) = &mut self.state {
            match running.try_reap()? {
                Some(status) => self.state = State::Ended(status),
                None => return Ok(None),
            }
        }
        match self.state {
            State::Ended(status) => Ok(Some(status)),
            State::Running(_) => Ok(None),
        }
    }

    /// Sends a signal to the process. Does nothing if the process has ended. For the processes that
    /// it has started, see [`send_signal_to_group`](Child::send_signal_to_group).
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` for an unknown signal or a real-time signal. Kind `PermissionDenied` if
    /// the process runs as another user.
    pub fn send_signal(&self, signal: impl Into<SignalKind>) -> io::Result<()> {
        let signal = named_signal(signal.into())?;
        match &self.state {
            State::Running(running) => running.signal(signal),
            State::Ended(_) => Ok(()),
        }
    }

    /// Returns whether a wait has returned the exit status.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }

    /// Sends SIGTERM, which asks the process to end. The process may handle or ignore it; see
    /// [`terminate_within`](Child::terminate_within).
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Child::send_signal).
    pub fn terminate(&self) -> io::Result<()> {
        self.send_signal(SignalKind::terminate())
    }

    /// Sends SIGKILL, which ends the process at once. Call [`wait`](Child::wait) afterwards.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Child::send_signal).
    #[doc(alias = "start_kill")]
    pub fn kill(&self) -> io::Result<()> {
        self.send_signal(SignalKind::kill())
    }

    /// Sends SIGTERM, and SIGKILL if the process has not ended within `grace`. Returns the exit
    /// status.
    ///
    /// # Errors
    ///
    /// As [`wait`](Child::wait).
    ///
    /// # Cancel safety
    ///
    /// After a drop, SIGTERM was sent and SIGKILL was not. Calling it again sends SIGTERM again.
    ///
    /// ```
    /// use std::os::unix::process::ExitStatusExt;
    /// use std::time::Duration;
    ///
    /// use evloop::process::Command;
    ///
    /// evloop::block_on(async {
    ///     let mut child = Command::new("sleep").arg("1000").spawn()?;
    ///     let status = child.terminate_within(Duration::from_secs(5)).await?;
    ///     assert_eq!(status.signal(), Some(15));
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub async fn terminate_within(&mut self, grace: Duration) -> io::Result<ExitStatus> {
        self.terminate()?;
        if let Ok(ended) = timeout(grace, self.wait()).await {
            return ended;
        }
        self.kill()?;
        self.wait().await
    }

    /// Writes `input` to the process, reads its outputs to their ends, and waits until the process
    /// has ended. It writes and reads at the same time, so that no amount of data blocks both
    /// sides.
    ///
    /// An input that is not piped is not written, and an output that is not piped is empty. A child
    /// that does not read all of its input causes no error, unless
    /// [SIGPIPE](crate::net::pipe::Sender#sigpipe) ends this program. An output ends when every
    /// process that holds its other end has closed it: a grandchild that holds it keeps this call
    /// waiting after the child has ended.
    ///
    /// # Errors
    ///
    /// As [`wait`](Child::wait).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: call it again with the same input, and it continues. So after a timeout, kill
    /// the child and call it again to receive the output until then. If a grandchild holds the
    /// outputs, drop `stdout` and `stderr` before.
    ///
    /// ```
    /// use evloop::process::{Command, Stdio};
    ///
    /// evloop::block_on(async {
    ///     let mut sort = Command::new("sort");
    ///     let mut child = sort.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    ///     let output = child.communicate("b\na\n").await?;
    ///     assert_eq!((output.status.success(), &*output.stdout), (true, &b"a\nb\n"[..]));
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub async fn communicate(&mut self, input: impl AsRef<[u8]>) -> io::Result<Output> {
        let Child { stdin, stdout, stderr, communicate, .. } = self;
        communicate.run(input.as_ref(), stdin, stdout, stderr).await?;
        let status = self.wait().await?;
        let Communicate { stdout, stderr, .. } = std::mem::take(&mut self.communicate);
        Ok(Output { status, stdout, stderr })
    }

    /// Reads the outputs to their ends, and waits until the process has ended:
    /// [`communicate`](Child::communicate) without an input.
    ///
    /// # Errors
    ///
    /// As [`wait`](Child::wait).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: call it again, and it continues.
    #[doc(alias = "wait_with_output")]
    pub async fn output(&mut self) -> io::Result<Output> {
        self.communicate([]).await
    }
}

/// Returns the signal in the type of rustix.
pub(super) fn named_signal(kind: SignalKind) -> io::Result<Signal> {
    Signal::from_named_raw(kind.as_raw()).ok_or_else(|| {
        let sentence = format!("{kind} cannot be sent: it has no name here");
        io::Error::new(io::ErrorKind::InvalidInput, sentence)
    })
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.kill_on_drop {
            // `kill` fails for a process that has ended, or that runs as another user: it runs on.
            let _ = self.kill();
        }
        // A placeholder: nothing reads the state after the drop.
        let ended = State::Ended(ExitStatus::default());
        if let State::Running(running) = std::mem::replace(&mut self.state, ended) {
            orphans::reap_in_task(running);
        }
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = match &self.state {
            State::Running(_) => None,
            State::Ended(status) => Some(status),
        };
        f.debug_struct("Child")
            .field("id", &self.id)
            .field("status", &status)
            .finish_non_exhaustive()
    }
}

/// The pipe to the standard input of a child. Dropping it ends the input.
pub type ChildStdin = pipe::Sender;

/// The pipe from the standard output of a child. [`streams::from_pipe`](crate::streams::from_pipe)
/// reads it line by line.
pub type ChildStdout = pipe::Receiver;

/// The pipe from the standard error of a child.
pub type ChildStderr = pipe::Receiver;
