//! Why a piece of a stream could not be read.

use std::error::Error;
use std::fmt;
use std::io;

/// The stream ended in the middle of a piece. Inside of an [`io::Error`] of kind `UnexpectedEof`.
///
/// ```
/// use evloop::streams::IncompleteRead;
///
/// let error = std::io::Error::from(IncompleteRead { partial: b"ab".to_vec(), expected: Some(4) });
/// assert_eq!(error.to_string(), "the stream ended after 2 of 4 bytes");
/// assert_eq!(IncompleteRead::of(&error).unwrap().partial, b"ab");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "IncompleteReadError")]
pub struct IncompleteRead {
    /// What came before the end. It has been taken from the reader.
    pub partial: Vec<u8>,
    /// How many bytes were asked for, if it was a number.
    pub expected: Option<usize>,
}

/// A piece is longer than the reader's limit. Inside of an [`io::Error`] of kind `InvalidData`. The
/// bytes stay in the reader.
///
/// ```
/// use evloop::streams::LimitOverrun;
///
/// let error = std::io::Error::from(LimitOverrun { consumed: 70_000 });
/// assert_eq!(LimitOverrun::of(&error).unwrap().consumed, 70_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "LimitOverrunError")]
pub struct LimitOverrun {
    /// How many bytes can be read to pass over what is too long: all up to the separator, which
    /// comes next, or as much as surely holds none.
    pub consumed: usize,
}

impl IncompleteRead {
    /// What `error` is about, if it is this.
    pub fn of(error: &io::Error) -> Option<&IncompleteRead> {
        error.get_ref()?.downcast_ref()
    }
}

impl LimitOverrun {
    /// What `error` is about, if it is this.
    pub fn of(error: &io::Error) -> Option<&LimitOverrun> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for IncompleteRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let got = self.partial.len();
        match self.expected {
            Some(expected) => write!(f, "the stream ended after {got} of {expected} bytes"),
            None => write!(f, "the stream ended after {got} bytes, before the separator came"),
        }
    }
}

impl fmt::Display for LimitOverrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LimitOverrun { consumed } = self;
        write!(
            f,
            "no separator came within the reader's limit: read {consumed} bytes to pass over them, \
             or open the stream with a higher StreamOptions::limit"
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
