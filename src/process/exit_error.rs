//! The error of a process that has not ended with success.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::process::{ExitStatus, Output};

use super::command::Command;

/// How much of the end of stderr the error displays, in bytes.
const SHOWN_MAX: usize = 1 << 10;

/// A process has ended with another status than success: the error of
/// [`Command::check_output`] and [`Command::check_status`], as Python's `CalledProcessError`.
///
/// Inside an [`io::Error`]: [`ExitError::of`] finds it there. It displays the program, the status
/// and the end of the standard error.
///
/// ```
/// use evloop::process::{Command, ExitError};
///
/// evloop::block_on(async {
///     let mut command = Command::shell("echo 'no such target' >&2; exit 2");
///     let error = command.check_output().await.unwrap_err();
///     assert_eq!(error.to_string(), "\"/bin/sh\" failed with exit status: 2: no such target");
///     assert_eq!(ExitError::of(&error).unwrap().status().code(), Some(2));
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitError {
    program: OsString,
    output: Output,
}

impl ExitError {
    /// Returns the `ExitError` that an error contains.
    pub fn of(error: &io::Error) -> Option<&ExitError> {
        error.get_ref()?.downcast_ref()
    }

    /// Returns `output` if its status is success. `program` names the process in the error.
    ///
    /// # Errors
    ///
    /// An `ExitError`, of kind `Other`.
    ///
    /// ```
    /// use evloop::process::{Command, ExitError};
    ///
    /// evloop::block_on(async {
    ///     let output = Command::shell("exit 1").output().await?;
    ///     assert!(ExitError::check("the first step", output).is_err());
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    #[doc(alias = "check_returncode")]
    pub fn check(program: impl AsRef<OsStr>, output: Output) -> io::Result<Output> {
        if output.status.success() {
            return Ok(output);
        }
        let program = program.as_ref().to_owned();
        Err(io::Error::other(ExitError { program, output }))
    }

    /// Returns the program that was started.
    #[doc(alias = "cmd")]
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// Returns the exit status.
    #[doc(alias = "returncode")]
    pub fn status(&self) -> ExitStatus {
        self.output.status
    }

    /// Returns the status and the outputs. An output that was not piped is empty.
    pub fn output(&self) -> &Output {
        &self.output
    }
}

impl Command {
    /// Does what [`output`](Command::output) does, and returns an error if the status is not
    /// success.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Command::spawn). An [`ExitError`], which contains the outputs, if the process
    /// exits with another status than 0 or a signal ends it.
    ///
    /// # Cancel safety
    ///
    /// As [`output`](Command::output).
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "CalledProcessError")]
    pub async fn check_output(&mut self) -> io::Result<Output> {
        let output = self.output().await?;
        ExitError::check(self.as_std().get_program(), output)
    }

    /// Does what [`status`](Command::status) does, and returns an error if the status is not
    /// success.
    ///
    /// # Errors
    ///
    /// As [`check_output`](Command::check_output).
    ///
    /// # Cancel safety
    ///
    /// As [`status`](Command::status).
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "check_call")]
    pub async fn check_status(&mut self) -> io::Result<()> {
        let status = self.status().await?;
        let output = Output { status, stdout: Vec::new(), stderr: Vec::new() };
        ExitError::check(self.as_std().get_program(), output).map(drop)
    }
}

impl fmt::Display for ExitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Output { status, stderr, .. } = &self.output;
        write!(f, "{:?} failed with {status}", self.program)?;
        let stderr = stderr.trim_ascii();
        let skipped = stderr.len().saturating_sub(SHOWN_MAX);
        if !stderr.is_empty() {
            let ellipsis = if skipped > 0 { "…" } else { "" };
            write!(f, ": {ellipsis}{}", String::from_utf8_lossy(&stderr[skipped..]))?;
        }
        Ok(())
    }
}

impl Error for ExitError {}
