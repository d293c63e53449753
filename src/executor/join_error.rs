//! The error of a task that has no output.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

use super::header::{Header, write_task};
use crate::caught::Caught;
use crate::current::TaskId;

/// The error of a task, or of work on the blocking pool, that has no output.
///
/// The task was cancelled, or it panicked. The loop's
/// [`on_task_error`](crate::runtime::Builder::on_task_error) handler also receives errors that a
/// task without a handle returned: they are [failed](JoinError::is_failed).
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
    /// Not the task's own `Rc`, so that the error is `Send`.
    name: Option<Box<str>>,
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
        JoinError::of(header, End::Cancelled(None))
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
        JoinError::of_no_task(spawned_at, End::Cancelled(reason))
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
        JoinError::of_no_task(spawned_at, End::Panicked(Mutex::new(panic)))
    }

    pub(crate) fn panicked(header: &Header, panic: Caught) -> JoinError {
        JoinError::of(header, End::Panicked(Mutex::new(panic)))
    }

    /// Returns the error of a task that ended with an error, or that continues after one.
    pub(crate) fn failed(header: &Header, error: String) -> JoinError {
        JoinError::of(header, End::Failed(error))
    }

    /// Returns an error that was reported at `place`, outside of a task.
    pub(crate) fn failed_outside(place: &'static Location<'static>, error: String) -> JoinError {
        JoinError::of_no_task(place, End::Failed(error))
    }

    fn of(header: &Header, end: End) -> JoinError {
        let Header { id, spawned_at, .. } = *header;
        let name = header.name().map(|name| Box::from(&*name));
        JoinError(Box::new(Cause { id, name, spawned_at, end }))
    }

    fn of_no_task(spawned_at: &'static Location<'static>, end: End) -> JoinError {
        JoinError(Box::new(Cause { id: TaskId::never_spawned(), name: None, spawned_at, end }))
    }

    /// Returns whether the task was aborted, or its loop ended before the task did.
    ///
    /// For work on the blocking pool: whether the work never began. [`source`](Error::source)
    /// returns the reason, unless the work was aborted on request.
    #[doc(alias = "cancelled")]
    #[doc(alias = "CancelledError")]
    #[doc(alias = "GreenletExit")]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0.end, End::Cancelled(_))
    }

    /// Returns whether the task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.0.end, End::Panicked(_))
    }

    /// Returns whether the task returned an error that no caller could receive, or
    /// [reported](crate::task::report_error) one. Only the loop's
    /// [`on_task_error`](crate::runtime::Builder::on_task_error) handler receives such a
    /// `JoinError`.
    pub fn is_failed(&self) -> bool {
        matches!(self.0.end, End::Failed(_))
    }

    /// Returns the payload of the panic, for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    ///
    /// If the task did not panic; see [`is_panic`](JoinError::is_panic).
    #[doc(alias = "exception")]
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        // A closure would not point at the caller.
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(error) => {
                panic!(
                    "into_panic was called, but {error}: call is_panic before, or try_into_panic"
                )
            }
        }
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
        match self.0.end {
            End::Panicked(panic) => Ok(panic.into_inner().unwrap_or_else(PoisonError::into_inner)),
            _ => Err(self),
        }
    }

    /// Returns the error of work as that of the task that waited for it.
    pub(crate) fn of_task(mut self, id: TaskId) -> JoinError {
        self.0.id = id;
        self
    }

    /// Resumes the panic. Returns any other end of the task as an `io::Error`.
    pub(crate) fn resume<T>(self) -> io::Result<T> {
        match self.0.end {
            End::Cancelled(Some(reason)) => Err(reason),
            _ => Err(self.try_into_caught().map_or_else(io::Error::from, |panic| panic.resume())),
        }
    }

    /// Returns the id of the task.
    #[doc(alias = "id")]
    pub fn task_id(&self) -> TaskId {
        self.0.id
    }

    /// Returns the name of the task, if it had one.
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Returns the line of code that spawned the task.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.0.spawned_at
    }
}

/// Writes the id of the task, its name if it has one, the line that spawned it, and how it ended.
impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cause { id, name, spawned_at, .. } = &*self.0;
        write_task(f, *id, name.as_deref(), spawned_at)?;
        f.write_str(" ")?;
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
