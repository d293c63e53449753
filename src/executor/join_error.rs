//! The error of a task that has no output.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

use super::task_info::Header;
use crate::caught::Caught;
use crate::current::TaskId;

/// The error of a task, or of work on the blocking pool, that has no output.
///
/// The task was cancelled, or it panicked. The loop's
/// [`on_task_error`](crate::runtime::Builder::on_task_error) handler also receives errors of tasks
/// that failed in another way.
///
/// ```
/// evloop::block_on(async {
///     let task = evloop::spawn(async { panic!("out of range") });
///     let error = task.await.unwrap_err();
///     assert!(error.is_panic() && !error.is_cancelled());
///     assert!(error.to_string().ends_with("panicked: out of range"));
/// });
/// ```
pub struct JoinError(Box<Cause>);

/// Boxed, so that the cell that stores a task's output stays small.
struct Cause {
    id: TaskId,
    spawned_at: &'static Location<'static>,
    end: End,
}

enum End {
    /// Holds the reason, if the cancellation was not requested.
    Cancelled(Option<io::Error>),
    /// The mutex makes the error `Sync`: a payload is not.
    Panicked(Mutex<Caught>),
    /// The text of an error that could be returned to no caller.
    Failed(String),
}

impl JoinError {
    pub(crate) fn cancelled(header: &Header) -> JoinError {
        let Header { id, spawned_at, .. } = *header;
        JoinError(Box::new(Cause { id, spawned_at, end: End::Cancelled(None) }))
    }

    /// Returns the error of a task whose loop has ended, perhaps before the spawn.
    pub(crate) fn cancelled_remote(spawned_at: &'static Location<'static>) -> JoinError {
        JoinError::not_begun(spawned_at, None)
    }

    /// Returns the error of work that never began.
    pub(crate) fn not_begun(
        spawned_at: &'static Location<'static>,
        reason: Option<io::Error>,
    ) -> JoinError {
        let end = End::Cancelled(reason);
        JoinError(Box::new(Cause { id: TaskId::never_spawned(), spawned_at, end }))
    }

    /// Adds the reason to the error of a cancelled task.
    pub(crate) fn because(mut self, reason: Option<io::Error>) -> JoinError {
        if let (End::Cancelled(None), Some(reason)) = (&self.0.end, reason) {
            self.0.end = End::Cancelled(Some(reason));
        }
        self
    }

    /// Returns the error of work that panicked on another thread.
    pub(crate) fn panicked_elsewhere(
        spawned_at: &'static Location<'static>,
        panic: Caught,
    ) -> JoinError {
        let end = End::Panicked(Mutex::new(panic));
        JoinError(Box::new(Cause { id: TaskId::never_spawned(), spawned_at, end }))
    }

    pub(crate) fn panicked(header: &Header, panic: Caught) -> JoinError {
        let end = End::Panicked(Mutex::new(panic));
        let Header { id, spawned_at, .. } = *header;
        JoinError(Box::new(Cause { id, spawned_at, end }))
    }

    /// Returns the error of a task that ended with an error, or that continues after one.
    pub(crate) fn failed(
        id: TaskId,
        spawned_at: &'static Location<'static>,
        error: String,
    ) -> JoinError {
        JoinError(Box::new(Cause { id, spawned_at, end: End::Failed(error) }))
    }

    /// Returns whether the task was aborted, or its loop ended before the task did.
    ///
    /// For work on the blocking pool: whether the work never began. [`source`](Error::source)
    /// returns the reason, unless the work was aborted on request.
    #[doc(alias = "cancelled")]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0.end, End::Cancelled(_))
    }

    /// Returns whether the task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.0.end, End::Panicked(_))
    }

    /// Returns the payload of the panic, for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    ///
    /// If the task did not panic; see [`is_panic`](JoinError::is_panic).
    #[doc(alias = "exception")]
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        let id = self.0.id;
        self.try_into_panic()
            .unwrap_or_else(|_| panic!("task {id} was cancelled: ask is_panic before into_panic"))
    }

    /// Returns the payload of the panic.
    ///
    /// # Errors
    ///
    /// Returns the error itself if the task did not panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send + 'static>, JoinError> {
        self.try_into_caught().map(Caught::into_payload)
    }

    fn try_into_caught(self) -> Result<Caught, JoinError> {
        let Cause { id, spawned_at, end } = *self.0;
        match end {
            End::Panicked(panic) => Ok(panic.into_inner().unwrap_or_else(PoisonError::into_inner)),
            end => Err(JoinError(Box::new(Cause { id, spawned_at, end }))),
        }
    }

    /// Resumes the panic. Returns any other end of the task as an `io::Error`.
    pub(crate) fn resume<T>(self) -> io::Result<T> {
        match self.0.end {
            End::Cancelled(Some(reason)) => Err(reason),
            _ => Err(self.try_into_caught().map_or_else(io::Error::from, |panic| panic.resume())),
        }
    }

    /// Returns the id of the task.
    pub fn task_id(&self) -> TaskId {
        self.0.id
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} (spawned at {}) ", self.0.id, self.0.spawned_at)?;
        let panic = match &self.0.end {
            End::Cancelled(None) => return f.write_str("was cancelled"),
            End::Cancelled(Some(reason)) => return write!(f, "was cancelled: {reason}"),
            End::Failed(error) => return write!(f, "failed: {error}"),
            End::Panicked(panic) => panic,
        };
        let panic = panic.lock().unwrap_or_else(PoisonError::into_inner);
        let payload = panic.payload();
        let message = payload.downcast_ref::<&'static str>().copied();
        match message.or_else(|| payload.downcast_ref::<String>().map(String::as_str)) {
            Some(message) => write!(f, "panicked: {message}"),
            None => f.write_str("panicked with a payload that is not text"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl Error for JoinError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.end {
            End::Cancelled(Some(reason)) => Some(reason),
            _ => None,
        }
    }
}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> io::Error {
        io::Error::other(error)
    }
}
