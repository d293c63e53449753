//! Why a receiver of all values has none.

use std::error::Error;
use std::fmt;
use std::io;

/// Why [`Receiver::recv`](super::broadcast::Receiver::recv) has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvError {
    /// So many values were missed. The next one that is left comes next.
    Lagged(u64),
    /// The senders were dropped, and everything was received.
    Closed,
}

/// Why [`Receiver::try_recv`](super::broadcast::Receiver::try_recv) has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// None is there now.
    Empty,
    /// So many values were missed. The next one that is left comes next.
    Lagged(u64),
    /// The senders were dropped, and everything was received.
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
