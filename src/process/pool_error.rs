//! The error of a job of a pool of processes.

use std::error::Error;
use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// The reason why a job of a [`Pool`](super::Pool) has no output.
#[derive(Debug)]
#[non_exhaustive]
pub enum PoolError {
    /// The job panicked, with this message. Its worker continues.
    Panicked(String),
    /// The worker ended before it answered. The next job gets another worker.
    Broken(ExitStatus),
    /// The pool was shut down or terminated.
    Closed,
    /// The worker could not be started, or the connection to it failed.
    Io(io::Error),
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PoolError::Panicked(message) => write!(f, "the job panicked in its worker: {message}"),
            PoolError::Broken(status) => {
                let hint = match status.signal() {
                    // Killed from outside, by a fault in the job, or for lack of memory.
                    Some(_) => "",
                    None => ": the job exited, or `main` must call `evloop::process::worker` first",
                };
                write!(f, "the worker process of the job ended before it answered: {status}{hint}")
            }
            PoolError::Closed => f.write_str("the pool of processes was shut down"),
            PoolError::Io(error) => error.fmt(f),
        }
    }
}

impl Error for PoolError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            PoolError::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<PoolError> for io::Error {
    /// An [`io::Error`] inside is returned as it is.
    fn from(error: PoolError) -> io::Error {
        match error {
            PoolError::Io(error) => error,
            PoolError::Broken(_) => io::Error::new(io::ErrorKind::BrokenPipe, error),
            error => io::Error::other(error),
        }
    }
}

impl From<io::Error> for PoolError {
    fn from(error: io::Error) -> PoolError {
        PoolError::Io(error)
    }
}
