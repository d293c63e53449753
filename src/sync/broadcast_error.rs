//! The errors of a broadcast receiver.

use std::error::Error;
use std::fmt;
use std::io;

/// The error of [`Receiver::recv`](super::broadcast::Receiver::recv).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvError {
    /// The receiver missed this number of values. The next receive returns the oldest value that is
    /// left.
    Lagged(u64),
    /// All senders were dropped, and every value was received.
    Closed,
}

/// The error of [`Receiver::try_recv`](super::broadcast::Receiver::try_recv).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// No value is in the channel now.
    Empty,
    /// The receiver missed this number of values. The next receive returns the oldest value that is
    /// left.
    Lagged(u64),
    /// All senders were dropped, and every value was received.
    Closed,
}

impl From<RecvError> for TryRecvError {
    fn from(error: RecvError) -> TryRecvError {
        match error {
            RecvError::Lagged(missed) => TryRecvError::Lagged(missed),
            RecvError::Closed => TryRecvError::Closed,
        }
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TryRecvError::from(*self).fmt(f)
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryRecvError::Empty => f.write_str("no value is there"),
            TryRecvError::Lagged(missed) => write!(f, "{missed} values were missed"),
            TryRecvError::Closed => f.write_str("the senders were dropped"),
        }
    }
}

impl Error for RecvError {}
impl Error for TryRecvError {}

impl From<RecvError> for io::Error {
    fn from(error: RecvError) -> io::Error {
        TryRecvError::from(error).into()
    }
}

impl From<TryRecvError> for io::Error {
    fn from(error: TryRecvError) -> io::Error {
        let kind = match error {
            TryRecvError::Empty => io::ErrorKind::WouldBlock,
            TryRecvError::Lagged(_) => io::ErrorKind::Other,
            TryRecvError::Closed => io::ErrorKind::UnexpectedEof,
        };
        io::Error::new(kind, error)
    }
}
