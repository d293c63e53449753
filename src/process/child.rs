//! A process that was started.

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

/// A child process; made by [`Command::spawn`](super::Command::spawn) and
/// [`spawn_async`](super::Command::spawn_async).
///
/// Dropping it lets the process run on, unless
/// [`kill_on_drop`](super::Command::kill_on_drop) was asked for; in either case a task of the loop,
/// named `reaper of process N`, sees to it that no zombie stays behind.
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
#[must_use = "a child that is dropped runs on, but nobody learns how it ends"]
#[doc(alias = "Popen")]
pub struct Child {
    /// What it reads, if that was piped. Take it out to keep it while waiting.
    pub stdin: Option<ChildStdin>,
    /// What it writes, if that was piped.
    pub stdout: Option<ChildStdout>,
    /// What it writes as errors, if that was piped.
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
    /// Takes a process into the loop. If that fails it is killed.
    pub(super) fn new(
        mut process: process::Child,
        context: &Rc<Context>,
        kill_on_drop: bool,
    ) -> io::Result<Child> {
        let reactor = &context.reactor;
        let (id, stdin) = (process.id(), process.stdin.take());
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        let running = Running::new(process, context).map_err(|(mut process, error)| {
            // It fails only for one that has ended.
            let _ = process.kill();
            orphans::keep(process);
            error
        })?;
        let mut child = Child {
            stdin: None,
            stdout: None,
            stderr: None,
            id,
            // What fails from here on drops it.
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

    /// Its process id. Once it was waited for, another process may have the same.
    #[doc(alias = "pid")]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Waits until it has ended, and gives its status, as often as it is asked for.
    ///
    /// Before, `stdin` is closed if it is still here, since a child that reads it would not end.
    /// Outputs are not read: a child that writes more than a pipe holds, 64 KiB on Linux, waits
    /// until somebody does; see [`communicate`](Child::communicate).
    ///
    /// # Errors
    ///
    /// ECHILD if another has reaped it: that is so for all children of a program that ignores
    /// SIGCHLD.
    ///
    /// # Cancel safety
    ///
    /// The status is not lost; call it again.
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

    /// Its status, if it has ended.
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

    /// Sends it a signal. If it has ended nothing happens.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if there is no such signal, or it is a real-time one; `PermissionDenied`
    /// if it runs as another user.
    pub fn send_signal(&self, signal: impl Into<SignalKind>) -> io::Result<()> {
        let kind = signal.into();
        let signal = Signal::from_named_raw(kind.as_raw()).ok_or_else(|| {
            let sentence = format!("{kind} cannot be sent: it has no name here");
            io::Error::new(io::ErrorKind::InvalidInput, sentence)
        })?;
        match &self.state {
            State::Running(running) => running.signal(signal),
            State::Ended(_) => Ok(()),
        }
    }

    /// Asks it to end, by SIGTERM, which it may handle or ignore; see
    /// [`terminate_within`](Child::terminate_within).
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Child::send_signal).
    pub fn terminate(&self) -> io::Result<()> {
        self.send_signal(SignalKind::terminate())
    }

    /// Ends it at once, by SIGKILL. Wait for it afterwards.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Child::send_signal).
    pub fn kill(&self) -> io::Result<()> {
        self.send_signal(SignalKind::kill())
    }

    /// Asks it to end, and kills it if it has not done so within `grace`. Gives its status.
    ///
    /// # Errors
    ///
    /// As [`wait`](Child::wait).
    ///
    /// # Cancel safety
    ///
    /// It was asked, and is not killed. Calling it again asks again.
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

    /// Writes `input` to it, reads all that it says, and waits until it has ended: all at once, so
    /// that it does not hang however much that is.
    ///
    /// What is not piped is not written, and comes back empty; nor is it an error if the child does
    /// not read all of the input, unless [SIGPIPE](crate::net::pipe::Sender#sigpipe) ends this
    /// program. Outputs end when everybody has closed them who has them: a grandchild that lives on
    /// with them keeps this waiting, though the child has ended.
    ///
    /// # Errors
    ///
    /// As [`wait`](Child::wait).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: called again with the same input, it goes on where it was. So who has
    /// waited long enough can kill the child and call it again, to get what it has said; if a
    /// grandchild keeps the outputs, drop `stdout` and `stderr` before.
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

    /// Reads all that it says, and waits until it has ended:
    /// [`communicate`](Child::communicate) without an input.
    ///
    /// # Errors
    ///
    /// As [`wait`](Child::wait).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: call it again.
    #[doc(alias = "wait_with_output")]
    pub async fn output(&mut self) -> io::Result<Output> {
        self.communicate([]).await
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.kill_on_drop {
            // It fails for one that has ended, or runs as another user: then it runs on.
            let _ = self.kill();
        }
        // Its place is never seen again.
        let gone = State::Ended(ExitStatus::default());
        if let State::Running(running) = std::mem::replace(&mut self.state, gone) {
            orphans::adopt(running);
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

/// What a child reads as its standard input. Dropping it ends that.
pub type ChildStdin = pipe::Sender;

/// What a child writes to its standard output. [`streams::from_pipe`](crate::streams::from_pipe)
/// reads it line by line.
pub type ChildStdout = pipe::Receiver;

/// What a child writes to its standard error.
pub type ChildStderr = pipe::Receiver;
