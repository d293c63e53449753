//! L1: why a task has no output.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::{Location, resume_unwind};
use std::sync::{Mutex, PoisonError};

use crate::info::Header;
use crate::task_id::TaskId;

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

/// Why a task, or work on a helper thread, has no output: it was cancelled, or it panicked.
pub struct JoinError(Box<Cause>);

/// Boxed, so that the room for a task's output need not hold it.
struct Cause {
    id: TaskId,
    spawned_at: &'static Location<'static>,
    /// `None`: cancelled. In a mutex because a payload is not `Sync`, and errors should be.
    panic: Option<Mutex<Payload>>,
    /// Why it was cancelled, if nobody asked for that.
    reason: Option<io::Error>,
}

impl JoinError {
    pub(crate) fn cancelled(header: &Header) -> JoinError {
        let Header { id, spawned_at, .. } = *header;
        JoinError(Box::new(Cause { id, spawned_at, panic: None, reason: None }))
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
        JoinError(Box::new(Cause { id: TaskId::unborn(), spawned_at, panic: None, reason }))
    }

    /// Of what ran on another thread.
    pub(crate) fn panicked_elsewhere(
        spawned_at: &'static Location<'static>,
        payload: Payload,
    ) -> JoinError {
        let panic = Some(Mutex::new(payload));
        JoinError(Box::new(Cause { id: TaskId::unborn(), spawned_at, panic, reason: None }))
    }

    pub(crate) fn panicked(header: &Header, payload: Payload) -> JoinError {
        let panic = Some(Mutex::new(payload));
        let Header { id, spawned_at, .. } = *header;
        JoinError(Box::new(Cause { id, spawned_at, panic, reason: None }))
    }

    /// Whether the task was aborted, or its loop ended before it did. Of work for a helper thread:
    /// whether it never began; [`source`](Error::source) says why, if nobody asked for that.
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

    /// Lets a panic go on; what else happened is an error that says why.
    pub(crate) fn resume<T>(mut self) -> io::Result<T> {
        let reason = self.0.reason.take();
        match self.try_into_panic() {
            Ok(payload) => resume_unwind(payload),
            Err(error) => Err(reason.unwrap_or_else(|| error.into())),
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
        let Some(payload) = &self.0.panic else {
            f.write_str("was cancelled")?;
            return self.0.reason.iter().try_for_each(|reason| write!(f, ": {reason}"));
        };
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

impl Error for JoinError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.reason.as_ref().map(|reason| reason as _)
    }
}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> io::Error {
        io::Error::other(error)
    }
}
