//! L1: why a task has no output.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

use crate::info::{Header, TaskId};

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

/// Why a task has no output: it was cancelled, or it panicked.
pub struct JoinError(Box<Cause>);

/// Boxed, so that the room for a task's output need not hold it.
struct Cause {
    id: TaskId,
    spawned_at: &'static Location<'static>,
    /// `None`: cancelled. In a mutex because a payload is not `Sync`, and errors should be.
    panic: Option<Mutex<Payload>>,
}

impl JoinError {
    pub(crate) fn cancelled(header: &Header) -> JoinError {
        let Header { id, spawned_at, .. } = *header;
        JoinError(Box::new(Cause { id, spawned_at, panic: None }))
    }

    /// Of a task whose loop has ended, perhaps before it was spawned.
    pub(crate) fn cancelled_remote(spawned_at: &'static Location<'static>) -> JoinError {
        JoinError(Box::new(Cause { id: TaskId::unborn(), spawned_at, panic: None }))
    }

    pub(crate) fn panicked(header: &Header, payload: Payload) -> JoinError {
        let panic = Some(Mutex::new(payload));
        let Header { id, spawned_at, .. } = *header;
        JoinError(Box::new(Cause { id, spawned_at, panic }))
    }

    /// Whether the task was aborted, or its loop ended before it did.
    pub fn is_cancelled(&self) -> bool {
        self.0.panic.is_none()
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        self.0.panic.is_some()
    }

    /// What the panic carried, for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    ///
    /// If the task was cancelled instead; see [`is_panic`](JoinError::is_panic).
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        let id = self.0.id;
        self.try_into_panic()
            .unwrap_or_else(|_| panic!("task {id} was cancelled: ask is_panic before into_panic"))
    }

    /// What the panic carried, or the error back if the task was cancelled.
    pub fn try_into_panic(mut self) -> Result<Box<dyn Any + Send + 'static>, JoinError> {
        match self.0.panic.take() {
            Some(payload) => Ok(payload.into_inner().unwrap_or_else(PoisonError::into_inner)),
            None => Err(self),
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
        let Some(payload) = &self.0.panic else { return f.write_str("was cancelled") };
        let payload = payload.lock().unwrap_or_else(PoisonError::into_inner);
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

impl Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> io::Error {
        io::Error::other(error)
    }
}
