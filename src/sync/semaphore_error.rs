//! Why a permit was not acquired or added.

use std::error::Error;
use std::fmt;
use std::io;

use super::raw_semaphore::Refusal;

/// The semaphore was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcquireError(());

/// Why [`Semaphore::try_acquire`](super::Semaphore::try_acquire) has no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryAcquireError {
    /// Too few are free, or others wait.
    NoPermits,
    /// The semaphore was closed.
    Closed,
}

/// There would be more permits than the semaphore may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddPermitsError(pub(super) ());

impl From<Refusal> for AcquireError {
    fn from(_: Refusal) -> AcquireError {
        AcquireError(())
    }
}

impl From<Refusal> for TryAcquireError {
    fn from(refusal: Refusal) -> TryAcquireError {
        match refusal {
            Refusal::Short => TryAcquireError::NoPermits,
            Refusal::Closed => TryAcquireError::Closed,
        }
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the semaphore was closed")
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryAcquireError::NoPermits => "too few permits are free, or others wait for them",
            TryAcquireError::Closed => "the semaphore was closed",
        })
    }
}

impl fmt::Display for AddPermitsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("more permits were added than the semaphore may have")
    }
}

impl Error for AcquireError {}
impl Error for TryAcquireError {}
impl Error for AddPermitsError {}

impl From<AcquireError> for io::Error {
    fn from(error: AcquireError) -> io::Error {
        io::Error::new(io::ErrorKind::BrokenPipe, error)
    }
}

impl From<TryAcquireError> for io::Error {
    fn from(error: TryAcquireError) -> io::Error {
        let kind = match error {
            TryAcquireError::NoPermits => io::ErrorKind::WouldBlock,
            TryAcquireError::Closed => io::ErrorKind::BrokenPipe,
        };
        io::Error::new(kind, error)
    }
}

impl From<AddPermitsError> for io::Error {
    fn from(error: AddPermitsError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, error)
    }
}
