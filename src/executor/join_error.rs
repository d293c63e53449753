//! Why a task has no output.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

use super::task_info::Header;
use crate::caught::Caught;
use crate::current::TaskId;

/// Why a task, or work on a helper thread, has no output: it was cancelled, or it panicked. The
/// loop's handler is also told of tasks that failed in another way.
pub struct JoinError(Box<Cause>);

/// Boxed, so that the room for a task's output need not hold it.
struct Cause {
    id: TaskId,
    spawned_at: &'static Location<'static>,
    end: End,
}

enum End {
    /// With the reason, if nobody asked for that.
    Cancelled(Option<io::Error>),
    /// In a mutex because a payload is not `Sync`, and errors should be.
    Panicked(Mutex<Caught>),
    /// What an error said that there was nobody to return to.
    Failed(String),
}

impl JoinError {
    pub(crate) fn cancelled(header: &Header) -> JoinError {
        let Header { id, spawned_at, .. } = *header;
        JoinError(Box::new(Cause { id, spawned_at, end: End::Cancelled(None) }))
    }

    /// Of a task whose loop has ended, perhaps before it was spawned.
    pub(crate) fn cancelled_remote(spawned_at: &'static Location<'static>) -> JoinError {
        JoinError::not_begun(spawned_at, None)
    }

    /// Of what never began.
    pub(crate) fn not_begun(
        spawned_at: &'static Location<'static>,
        reason: Option<io::Error>,
    ) -> JoinError {
        let end = End::Cancelled(reason);
        JoinError(Box::new(Cause { id: TaskId::unborn(), spawned_at, end }))
    }

    /// Of what ran on another thread.
    pub(crate) fn panicked_elsewhere(
        spawned_at: &'static Location<'static>,
        panic: Caught,
    ) -> JoinError {
        let end = End::Panicked(Mutex::new(panic));
        JoinError(Box::new(Cause { id: TaskId::unborn(), spawned_at, end }))
    }

    pub(crate) fn panicked(header: &Header, panic: Caught) -> JoinError {
        let end = End::Panicked(Mutex::new(panic));
        let Header { id, spawned_at, .. } = *header;
        JoinError(Box::new(Cause { id, spawned_at, end }))
    }

    /// Of a running task that ended in an error, or met one that it goes on after.
    pub(crate) fn failed(
        id: TaskId,
        spawned_at: &'static Location<'static>,
        error: String,
    ) -> JoinError {
        JoinError(Box::new(Cause { id, spawned_at, end: End::Failed(error) }))
    }

    /// Whether the task was aborted, or its loop ended before it did. Of work for a helper thread:
    /// whether it never began; [`source`](Error::source) says why, if nobody asked for that.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0.end, End::Cancelled(_))
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.0.end, End::Panicked(_))
    }

    /// What the panic carried, for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    ///
    /// If the task did not panic; see [`is_panic`](JoinError::is_panic).
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        let id = self.0.id;
        self.try_into_panic()
            .unwrap_or_else(|_| panic!("task {id} was cancelled: ask is_panic before into_panic"))
    }

    /// What the panic carried, or the error back if the task did not panic.
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

    /// Lets a panic go on; what else happened is an error that says why.
    pub(crate) fn resume<T>(self) -> io::Result<T> {
        match self.0.end {
            End::Cancelled(Some(reason)) => Err(reason),
            _ => Err(self.try_into_caught().map_or_else(io::Error::from, |panic| panic.resume())),
        }
    }

    /// The task's id.
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
