//! What is to be started, and how.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::mem;
use std::path::Path;
use std::process::{self, ExitStatus, Output, Stdio};
use std::rc::Rc;

use super::child::Child;
use super::orphans::{self, Unclaimed};
use crate::blocking::{self, Kind};
use crate::context::{self, Context};
use crate::io_error::explain;

/// A program to start, with arguments, environment and pipes: std's builder for the loop.
///
/// It can be started more than once. A child gets none of the loop's descriptors, the signals that
/// are listened to here do to it what they do by default, and what std sets up is as std has it.
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
/// A pipeline, in which the first writes to the second without the loop in between:
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
#[doc(alias = "create_subprocess_exec")]
#[doc(alias = "Popen")]
pub struct Command {
    std: process::Command,
    kill_on_drop: bool,
    /// Which of stdin, stdout, stderr the caller has set.
    is_set: [bool; 3],
}

impl Command {
    /// A command that starts `program`, which is looked for in `PATH` unless it is a path. It
    /// inherits everything.
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        process::Command::new(program).into()
    }

    /// A line for the shell, `/bin/sh`. Whatever comes from outside does not belong into it: give
    /// that as [`args`](Command::args), which the line calls `"$1"`, `"$2"`...
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

    /// Sets a variable of its environment.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        self.std.env(name, value);
        self
    }

    /// Sets variables of its environment.
    pub fn envs(
        &mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> &mut Command {
        self.std.envs(variables);
        self
    }

    /// Takes a variable out of its environment.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Command {
        self.std.env_remove(name);
        self
    }

    /// Takes all variables out of its environment.
    pub fn env_clear(&mut self) -> &mut Command {
        self.std.env_clear();
        self
    }

    /// The folder that it runs in. A program that is a relative path is better made absolute then.
    #[doc(alias = "cwd")]
    pub fn current_dir(&mut self, folder: impl AsRef<Path>) -> &mut Command {
        self.std.current_dir(folder);
        self
    }

    /// What it reads: [`Stdio::piped`], [`Stdio::null`], [`Stdio::inherit`], a file, another
    /// child's output ([`into_fd`](super::ChildStdout::into_fd)). Default: inherited; with
    /// [`output`](Command::output) nothing.
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Command {
        self.std.stdin(stdin);
        self.is_set[0] = true;
        self
    }

    /// Where its output goes. Default: inherited; with [`output`](Command::output) piped.
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Command {
        self.std.stdout(stdout);
        self.is_set[1] = true;
        self
    }

    /// Where its errors go. Default: inherited; with [`output`](Command::output) piped.
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Command {
        self.std.stderr(stderr);
        self.is_set[2] = true;
        self
    }

    /// Whether dropping the [`Child`] before it has ended kills the process, so also when the task
    /// that has it is aborted, or its loop ends. Default: no.
    pub fn kill_on_drop(&mut self, kill_on_drop: bool) -> &mut Command {
        self.kill_on_drop = kill_on_drop;
        self
    }

    /// std's builder, for what this one has no name for, such as a process group or a user id:
    /// see `std::os::unix::process::CommandExt`. stdin, stdout and stderr are set by this one.
    pub fn as_std_mut(&mut self) -> &mut process::Command {
        &mut self.std
    }

    /// Starts it. The loop is blocked until the program is loaded (fork(2), exec(2)): a millisecond
    /// or so, longer from a slow disk; [`spawn_async`](Command::spawn_async) blocks another thread.
    ///
    /// # Errors
    ///
    /// Kind `NotFound` if there is no such program, or no such folder to run it in;
    /// `PermissionDenied` if it may not be executed; `WouldBlock` if there are as many processes as
    /// the system allows (EAGAIN); `OutOfMemory`; EMFILE or ENFILE if no descriptor is left. No
    /// process stays behind.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[track_caller]
    pub fn spawn(&mut self) -> io::Result<Child> {
        self.start([Stdio::inherit(), Stdio::inherit(), Stdio::inherit()])
    }

    /// The same as [`spawn`](Command::spawn), on a thread of the blocking pool, so that the loop is
    /// not blocked until the program is loaded.
    ///
    /// What the system ties to the thread that starts a process is tied to a thread that ends when
    /// it has no work: PR_SET_PDEATHSIG sends its signal then.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Command::spawn); also if no thread can be started.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the process is started nevertheless, its pipes are closed, and it is killed
    /// if [`kill_on_drop`](Command::kill_on_drop) is set. The command is empty then, and starts
    /// nothing any more.
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
        self.prepare([Stdio::inherit(), Stdio::inherit(), Stdio::inherit()]);
        let kill_on_drop = self.kill_on_drop;
        let mut std = mem::replace(&mut self.std, process::Command::new(""));
        let work = blocking::submit(Kind::File, move || {
            let started = std.spawn().map(|process| Unclaimed::new(process, kill_on_drop));
            Ok((mem::replace(&mut std, process::Command::new("")), started))
        });
        let (std, started) = work.await?;
        self.std = std;
        self.watch(started.map(Unclaimed::claim), &context)
    }

    /// Runs it, and gives what it said and its status. What it reads is nothing unless set. It is
    /// started as by [`spawn`](Command::spawn).
    ///
    /// # Errors
    ///
    /// As [`spawn`](Command::spawn).
    ///
    /// # Cancel safety
    ///
    /// The process runs on without output, unless [`kill_on_drop`](Command::kill_on_drop) is set.
    /// To keep what it has said, [`spawn`](Command::spawn) it and use [`Child::output`].
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub async fn output(&mut self) -> io::Result<Output> {
        self.start([Stdio::null(), Stdio::piped(), Stdio::piped()])?.output().await
    }

    /// Runs it, and gives its status. It is started as by [`spawn`](Command::spawn).
    ///
    /// # Errors
    ///
    /// As [`spawn`](Command::spawn).
    ///
    /// # Cancel safety
    ///
    /// The process runs on, unless [`kill_on_drop`](Command::kill_on_drop) is set.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub async fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn()?.wait().await
    }

    /// Starts it, with `defaults` for what is not set.
    #[track_caller]
    fn start(&mut self, defaults: [Stdio; 3]) -> io::Result<Child> {
        let context = context::expect("process::Command::spawn");
        self.prepare(defaults);
        let started = self.std.spawn();
        self.watch(started, &context)
    }

    /// Sets `defaults` for what is not set, and reaps what has ended.
    fn prepare(&mut self, defaults: [Stdio; 3]) {
        let [stdin, stdout, stderr] = defaults;
        if !self.is_set[0] {
            self.std.stdin(stdin);
        }
        if !self.is_set[1] {
            self.std.stdout(stdout);
        }
        if !self.is_set[2] {
            self.std.stderr(stderr);
        }
        orphans::reap();
    }

    /// Takes what was started into the loop.
    fn watch(
        &self,
        started: io::Result<process::Child>,
        context: &Rc<Context>,
    ) -> io::Result<Child> {
        let child = started.and_then(|child| Child::new(child, context, self.kill_on_drop));
        child.map_err(|error| {
            let program = self.std.get_program();
            let sentence = format!("could not start {program:?}: {error}");
            explain(error, sentence)
        })
    }
}

impl From<process::Command> for Command {
    /// What was set for stdin, stdout and stderr does not count: set it again.
    fn from(std: process::Command) -> Command {
        Command { std, kill_on_drop: false, is_set: [false; 3] }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.std.fmt(f)
    }
}
