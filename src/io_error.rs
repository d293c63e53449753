//! L0: `io::Error`s with a message, and clones of them.
//!
//! An `io::Error` holds either the system's number or a text, never both. Invariant: an error with
//! a message has the system's error as its `source`, so `raw_os_error` can be read there.

use std::error::Error;
use std::fmt;
use std::io;

/// An error with a message that says what failed.
#[derive(Debug)]
struct Explained {
    message: String,
    error: io::Error,
}

/// Returns an error of the same kind that displays as `message`. Its `source` is `error`.
pub(crate) fn explain(error: io::Error, message: String) -> io::Error {
    explain_as(error.kind(), error, message)
}

/// Like [`explain`], with another kind.
pub(crate) fn explain_as(kind: io::ErrorKind, error: io::Error, message: String) -> io::Error {
    io::Error::new(kind, Explained { message, error })
}

/// Returns a clone: of the same kind, with the same text and the same system number.
pub(crate) fn clone_error(error: &io::Error) -> io::Error {
    if let Some(code) = error.raw_os_error() {
        return io::Error::from_raw_os_error(code);
    }
    let (kind, text) = (error.kind(), error.to_string());
    match source_code(error) {
        Some(code) => explain_as(kind, io::Error::from_raw_os_error(code), text),
        None => io::Error::new(kind, text),
    }
}

/// Returns the system's number of the first source that has one.
fn source_code(error: &io::Error) -> Option<i32> {
    let first = error.source();
    let mut sources = std::iter::successors(first, |&error| error.source());
    sources.find_map(|error| error.downcast_ref::<io::Error>()?.raw_os_error())
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Explained {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explained_and_cloned_errors_keep_kind_text_and_number() {
        let system = || io::Error::from_raw_os_error(2);
        let explained = explain(system(), format!("no map: {}", system()));
        for error in [clone_error(&explained), clone_error(&clone_error(&explained)), explained] {
            assert_eq!(error.kind(), system().kind());
            assert_eq!(error.to_string(), format!("no map: {}", system()));
            assert_eq!(source_code(&error), Some(2));
        }
        assert_eq!(clone_error(&system()).raw_os_error(), Some(2));
        let own = clone_error(&io::Error::new(io::ErrorKind::TimedOut, "too late"));
        assert_eq!((own.kind(), own.to_string().as_str()), (io::ErrorKind::TimedOut, "too late"));
        assert_eq!(source_code(&own), None);
    }
}
