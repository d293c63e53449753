//! A program to start, and how to start it.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{self, ExitStatus, Output, Stdio};
use std::rc::Rc;

use mio::unix::pipe;

use super::child::Child;
use super::orphans::{self, Unclaimed};
use super::start_error::start_error;
use crate::blocking::{self, Kind};
use crate::context::{self, Context};
use crate::runtime::Handle;
use crate::world;

/// A program to start, with arguments, environment and pipes: [`std::process::Command`] for the
/// loop.
///
/// A command can be started more than once. A child inherits none of the loop's descriptors.
/// Signals that this program listens to have their default action in the child. Everything else is
/// as in [`std::process::Command`].
///
/// ```
/// use evloop::process::Command;
///
/// evloop::block_on(async {
///     let output = Command::new("echo").arg("hello").output().await?;
///     assert_eq!(output.stdout, b"hello\n");
///     let status = Command::shell("exit 3").status().await?;
///     assert_eq!(status.code(), Some(3));
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
///
/// A pipeline: the first process writes directly to the second, and the loop moves no bytes:
///
/// ```
/// use evloop::process::{Command, Stdio};
///
/// evloop::block_on(async {
///     let mut first = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
///     let stdout = first.stdout.take().unwrap().into_fd()?;
///     let second = Command::new("wc").arg("-c").stdin(stdout).output().await?;
///     assert_eq!(second.stdout.trim_ascii(), b"6");
///     assert!(first.wait().await?.success());
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub struct Command {
    std: process::Command,
    kill_on_drop: bool,
    /// Whether the caller has set stdin, stdout, stderr, in this order.
    is_set: [bool; 3],
    /// Stdout and stderr are one pipe.
    is_merged: bool,
}

impl Command {
    /// Creates a command that starts `program`. A name without a slash is searched in `PATH`. The
    /// child inherits the environment, the working directory, stdin, stdout and stderr.
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        process::Command::new(program).into()
    }

    /// Creates a command that runs `line` in the shell, `/bin/sh`. Do not put untrusted text into
    /// the line: pass it as [`args`](Command::args), which the line reads as `"$1"`, `"$2"`...
    ///
    /// ```
    /// use evloop::process::Command;
    ///
    /// evloop::block_on(async {
    ///     let output = Command::shell("echo \"$1\" | tr a-z A-Z").arg("it's").output().await?;
    ///     assert_eq!(output.stdout, b"IT'S\n");
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    #[doc(alias = "create_subprocess_shell")]
    #[doc(alias = "getoutput")]
    #[doc(alias = "subprocess_shell")]
    pub fn shell(line: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(line).arg("sh");
        command
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Command {
        self.std.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Command {
        self.std.args(args);
        self
    }

    /// Sets an environment variable of the child.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        self.std.env(name, value);
        self
    }

    /// Sets environment variables of the child.
    pub fn envs(
        &mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> &mut Command {
        self.std.envs(variables);
        self
    }

    /// Removes an environment variable from the child.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Command {
        self.std.env_remove(name);
        self
    }

    /// Removes all environment variables from the child.
    pub fn env_clear(&mut self) -> &mut Command {
        self.std.env_clear();
        self
    }

    /// Sets the working directory of the child. Make a relative path of the program absolute then:
    /// it depends on the system which directory it is relative to.
    #[doc(alias = "cwd")]
    pub fn current_dir(&mut self, folder: impl AsRef<Path>) -> &mut Command {
        self.std.current_dir(folder);
        self
    }

    /// Sets the standard input: [`Stdio::piped`], [`Stdio::null`], [`Stdio::inherit`], a file, or
    /// another child's output ([`into_fd`](super::ChildStdout::into_fd)). Default: inherited, but
    /// [`Stdio::null`] with [`output`](Command::output).
    #[doc(alias = "DEVNULL")]
    #[doc(alias = "PIPE")]
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Command {
        self.std.stdin(stdin);
        self.is_set[0] = true;
        self
    }

    /// Sets the standard output. Default: inherited, but piped with [`output`](Command::output).
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Command {
        self.std.stdout(stdout);
        self.is_set[1] = true;
        self.is_merged = false;
        self
    }

    /// Sets the standard error. Default: inherited, but piped with [`output`](Command::output).
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Command {
        self.std.stderr(stderr);
        self.is_set[2] = true;
        self.is_merged = false;
        self
    }

    /// Pipes the standard output and sends the standard error into the same pipe: both arrive at
    /// [`Child::stdout`](super::Child#structfield.stdout) in the order in which the child wrote
    /// them. A later call of [`stdout`](Command::stdout) or [`stderr`](Command::stderr) ends this;
    /// the other one is piped then.
    ///
    /// For a file instead of a pipe, pass two clones of the file to `stdout` and `stderr`.
    ///
    /// ```
    /// use evloop::process::Command;
    ///
    /// evloop::block_on(async {
    ///     let mut command = Command::shell("echo one; echo two >&2; echo three");
    ///     let output = command.stderr_to_stdout().output().await?;
    ///     assert_eq!(output.stdout, b"one\ntwo\nthree\n");
    ///     assert!(output.stderr.is_empty());
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    #[doc(alias = "STDOUT")]
    #[doc(alias = "getstatusoutput")]
    pub fn stderr_to_stdout(&mut self) -> &mut Command {
        self.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.is_merged = true;
        self
    }

    /// Sets whether dropping the [`Child`] kills a process that has not ended. The task that owns
    /// the `Child` drops it when it is aborted, or when the loop ends. Default: no.
    pub fn kill_on_drop(&mut self, kill_on_drop: bool) -> &mut Command {
        self.kill_on_drop = kill_on_drop;
        self
    }

    /// Returns the builder of the standard library, to read its settings.
    pub fn as_std(&self) -> &process::Command {
        &self.std
    }

    /// Returns the builder of the standard library. It does not contain
    /// [`kill_on_drop`](Command::kill_on_drop) and
    /// [`stderr_to_stdout`](Command::stderr_to_stdout).
    pub fn into_std(self) -> process::Command {
        self.std
    }

    /// Returns the builder of the standard library, for options that this one lacks, such as a
    /// process group or a user id: see `std::os::unix::process::CommandExt`. Set stdin, stdout and
    /// stderr by the methods of this builder.
    pub fn as_std_mut(&mut self) -> &mut process::Command {
        &mut self.std
    }

    /// Starts the process. The loop is blocked until the program is loaded (fork(2), exec(2)):
    /// about a millisecond, longer from a slow disk. [`spawn_async`](Command::spawn_async) blocks
    /// another thread instead.
    ///
    /// # Errors
    ///
    /// Kind `NotFound` if the program or the working directory does not exist: the message says
    /// which. `PermissionDenied` if the program may not be executed. `WouldBlock` if the limit of
    /// processes is reached (EAGAIN). `OutOfMemory`. EMFILE or ENFILE if no descriptor is left.
    /// After an error no process is left.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[track_caller]
    pub fn spawn(&mut self) -> io::Result<Child> {
        self.start("process::Command::spawn", inherited())
    }

    /// Starts the process like [`spawn`](Command::spawn), but on a thread of the blocking pool. The
    /// loop is not blocked while the program is loaded.
    ///
    /// The system ties some settings to the thread that starts a process. A thread of the pool ends
    /// when it has no work: PR_SET_PDEATHSIG sends its signal then.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Command::spawn). Also if no thread can be started.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the process is started even if the future is dropped. Its pipes are closed,
    /// and it is killed if [`kill_on_drop`](Command::kill_on_drop) is set. The command is empty
    /// afterwards, and cannot start a process any more.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    ///
    /// ```
    /// use evloop::process::Command;
    ///
    /// evloop::block_on(async {
    ///     let mut child = Command::new("true").spawn_async().await?;
    ///     assert!(child.wait().await?.success());
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    #[doc(alias = "create_subprocess_exec")]
    pub async fn spawn_async(&mut self) -> io::Result<Child> {
        let context = context::expect("process::Command::spawn_async");
        let merged = self.prepare(inherited())?;
        let (kill_on_drop, home) = (self.kill_on_drop, Handle::current());
        let mut std = mem::replace(&mut self.std, process::Command::new(""));
        let work = blocking::submit(Kind::File, "process::Command::spawn_async", move || {
            let started = std.spawn().map(|process| Unclaimed::new(process, kill_on_drop, &home));
            Ok((mem::replace(&mut std, process::Command::new("")), started))
        });
        let (std, started) = work.await?;
        self.std = std;
        self.watch(started.map(Unclaimed::claim), merged, &context)
    }

    /// Starts the process like [`spawn`](Command::spawn), waits until it has ended, and returns its
    /// outputs and its exit status. Its input is empty unless [`stdin`](Command::stdin) was set.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Command::spawn).
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the process runs on, unless [`kill_on_drop`](Command::kill_on_drop) is set,
    /// and its output is lost. To keep the output, use [`spawn`](Command::spawn) and
    /// [`Child::output`].
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "run")]
    pub async fn output(&mut self) -> io::Result<Output> {
        let defaults = [Stdio::null(), Stdio::piped(), Stdio::piped()];
        self.start("process::Command::output", defaults)?.output().await
    }

    /// Starts the process like [`spawn`](Command::spawn), waits until it has ended, and returns its
    /// exit status.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Command::spawn).
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the process runs on, unless [`kill_on_drop`](Command::kill_on_drop) is set.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "call")]
    pub async fn status(&mut self) -> io::Result<ExitStatus> {
        self.start("process::Command::status", inherited())?.wait().await
    }

    /// Starts the process, with `defaults` for stdin, stdout and stderr that are not set. `what`
    /// names the called function.
    #[track_caller]
    fn start(&mut self, what: &str, defaults: [Stdio; 3]) -> io::Result<Child> {
        let context = context::expect(what);
        let merged = self.prepare(defaults)?;
        let started = self.std.spawn();
        self.watch(started, merged, &context)
    }

    /// Applies `defaults` to stdin, stdout and stderr that are not set, and reaps orphans that have
    /// ended. Returns the reading end if stdout and stderr are one pipe.
    fn prepare(&mut self, defaults: [Stdio; 3]) -> io::Result<Option<OwnedFd>> {
        world::check_outside("process::Command")?;
        orphans::reap();
        let [stdin, stdout, stderr] = defaults;
        if !self.is_set[0] {
            self.std.stdin(stdin);
        }
        if self.is_merged {
            let (writer, reader) = pipe::new()?;
            // The children of most programs expect a blocking pipe.
            writer.set_nonblocking(false)?;
            let writer = OwnedFd::from(writer);
            self.std.stdout(writer.try_clone()?).stderr(writer);
            return Ok(Some(reader.into()));
        }
        if !self.is_set[1] {
            self.std.stdout(stdout);
        }
        if !self.is_set[2] {
            self.std.stderr(stderr);
        }
        Ok(None)
    }

    /// Registers the started process with the loop. `merged` is its stdout if that is a pipe of
    /// [`prepare`](Command::prepare). An error names the program.
    fn watch(
        &mut self,
        started: io::Result<process::Child>,
        merged: Option<OwnedFd>,
        context: &Rc<Context>,
    ) -> io::Result<Child> {
        if self.is_merged {
            // Closes the writing ends, so that the pipe ends with the child.
            self.std.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let mut started = started.map_err(|error| start_error(&self.std, error))?;
        started.stdout = merged.map(Into::into).or(started.stdout.take());
        Child::new(started, context, self.kill_on_drop)
            .map_err(|error| start_error(&self.std, error))
    }
}

/// Stdin, stdout and stderr of this process.
fn inherited() -> [Stdio; 3] {
    [Stdio::inherit(), Stdio::inherit(), Stdio::inherit()]
}

impl From<process::Command> for Command {
    /// Converts the builder of the standard library. Its stdin, stdout and stderr are ignored: set
    /// them again.
    fn from(std: process::Command) -> Command {
        Command { std, kill_on_drop: false, is_set: [false; 3], is_merged: false }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.std.fmt(f)
    }
}
