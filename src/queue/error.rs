//! The errors of putting a value into a queue and of getting one.

use std::error::Error;
use std::fmt;
use std::io;

/// The queue is closed, and all values were got: no more will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueClosed;

/// The queue is closed. Holds the value that was not put.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PutError<T>(pub T);

/// The reason why a value was not put at once. Holds the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TryPutError<T> {
    /// No slot is free. Also known as [`queue::QueueFull`](super::QueueFull).
    Full(T),
    /// The queue is closed.
    Closed(T),
}

/// The reason why no value was got at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryGetError {
    /// The queue is empty now. Also known as [`queue::QueueEmpty`](super::QueueEmpty).
    Empty,
    /// The queue is closed, and all values were got: no more will come.
    Closed,
}

impl<T> TryPutError<T> {
    /// Returns the value that was not put.
    pub fn into_inner(self) -> T {
        match self {
            TryPutError::Full(value) | TryPutError::Closed(value) => value,
        }
    }
}

impl fmt::Display for QueueClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is closed, and no more values will come")
    }
}

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is closed")
    }
}

impl<T> fmt::Display for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryPutError::Full(_) => "the queue is full",
            TryPutError::Closed(_) => "the queue is closed",
        })
    }
}

impl fmt::Display for TryGetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryGetError::Empty => f.write_str("the queue is empty"),
            TryGetError::Closed => QueueClosed.fmt(f),
        }
    }
}

impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PutError({self})")
    }
}

impl<T> fmt::Debug for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TryPutError({self})")
    }
}

impl Error for QueueClosed {}
impl<T> Error for PutError<T> {}
impl<T> Error for TryPutError<T> {}
impl Error for TryGetError {}

impl From<QueueClosed> for io::Error {
    fn from(error: QueueClosed) -> io::Error {
        io::Error::new(io::ErrorKind::UnexpectedEof, error)
    }
}

impl<T: Send + Sync + 'static> From<PutError<T>> for io::Error {
    fn from(error: PutError<T>) -> io::Error {
        io::Error::new(io::ErrorKind::BrokenPipe, error)
    }
}

impl<T: Send + Sync + 'static> From<TryPutError<T>> for io::Error {
    fn from(error: TryPutError<T>) -> io::Error {
        let kind = match error {
            TryPutError::Full(_) => io::ErrorKind::WouldBlock,
            TryPutError::Closed(_) => io::ErrorKind::BrokenPipe,
        };
        io::Error::new(kind, error)
    }
}

impl From<TryGetError> for io::Error {
    fn from(error: TryGetError) -> io::Error {
        let kind = match error {
            TryGetError::Empty => io::ErrorKind::WouldBlock,
            TryGetError::Closed => io::ErrorKind::UnexpectedEof,
        };
        io::Error::new(kind, error)
    }
}
