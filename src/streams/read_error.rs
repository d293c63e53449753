//! The errors of reading a piece of a stream.

use std::error::Error;
use std::fmt;
use std::io;

/// The stream ended in the middle of a piece. It is the inner error of an [`io::Error`] of kind
/// `UnexpectedEof`.
///
/// ```
/// use evloop::streams::IncompleteRead;
///
/// let error = std::io::Error::from(IncompleteRead { partial: b"ab".to_vec(), expected: Some(4) });
/// assert_eq!(error.to_string(), "the stream ended after 2 of 4 bytes");
/// assert_eq!(IncompleteRead::of(&error).unwrap().partial, b"ab");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncompleteRead {
    /// The bytes before the end. They have been taken from the reader.
    pub partial: Vec<u8>,
    /// The number of bytes that were requested, if a number was.
    pub expected: Option<usize>,
}

/// A piece is longer than the reader's limit. It is the inner error of an [`io::Error`] of kind
/// `InvalidData`. The bytes stay in the reader.
///
/// ```
/// use evloop::streams::LimitOverrun;
///
/// let error = std::io::Error::from(LimitOverrun { consumed: 70_000, limit: 65_536 });
/// assert!(error.to_string().starts_with("no separator within 65536 bytes, the reader's limit"));
/// assert_eq!(LimitOverrun::of(&error).unwrap().consumed, 70_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitOverrun {
    /// How many bytes to read in order to skip the piece: those before the separator, or, if no
    /// separator has been received, those that cannot be part of one.
    pub consumed: usize,
    /// The limit of the reader: [`StreamOptions::limit`](super::StreamOptions::limit).
    pub limit: usize,
}

impl IncompleteRead {
    /// Returns the inner error of `error`, if it is of this type.
    pub fn of(error: &io::Error) -> Option<&IncompleteRead> {
        error.get_ref()?.downcast_ref()
    }
}

impl LimitOverrun {
    /// Returns the inner error of `error`, if it is of this type.
    pub fn of(error: &io::Error) -> Option<&LimitOverrun> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for IncompleteRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let got = self.partial.len();
        match self.expected {
            Some(expected) => write!(f, "the stream ended after {got} of {expected} bytes"),
            None => write!(f, "the stream ended after {got} bytes, before a separator"),
        }
    }
}

impl fmt::Display for LimitOverrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LimitOverrun { consumed, limit } = self;
        write!(
            f,
            "no separator within {limit} bytes, the reader's limit: read {consumed} bytes to skip \
             them, or open the stream with a higher StreamOptions::limit"
        )
    }
}

impl Error for IncompleteRead {}
impl Error for LimitOverrun {}

impl From<IncompleteRead> for io::Error {
    fn from(error: IncompleteRead) -> io::Error {
        io::Error::new(io::ErrorKind::UnexpectedEof, error)
    }
}

impl From<LimitOverrun> for io::Error {
    fn from(error: LimitOverrun) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}
