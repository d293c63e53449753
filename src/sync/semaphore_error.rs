//! The errors of a semaphore.

use std::error::Error;
use std::fmt;
use std::io;

use super::raw_semaphore::Refusal;

/// The error of [`Semaphore::acquire`](super::Semaphore::acquire): the semaphore was closed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AcquireError(());

/// The error of [`Semaphore::try_acquire`](super::Semaphore::try_acquire).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryAcquireError {
    /// Too few permits are free, or other tasks wait.
    NoPermits,
    /// The semaphore was closed.
    Closed,
}

/// The error of [`Semaphore::add_permits`](super::Semaphore::add_permits): the semaphore may not
/// have that many permits.
#[derive(Clone, Copy, PartialEq, Eq)]
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

impl fmt::Debug for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AcquireError({self})")
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

impl fmt::Debug for AddPermitsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AddPermitsError({self})")
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
