//! L0: `io::Error`s with a message, and clones of them.
//!
//! An `io::Error` holds either the system's number or a text, never both. Invariant: an error with
//! a message has the system's error as its `source`, so `raw_os_error` can be read there.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// An error with a message that says what failed.
#[derive(Clone, Debug)]
struct Explained {
    message: String,
    /// Shared by the clones.
    error: Arc<io::Error>,
}

/// Returns an error of the same kind that displays as `message`. Its `source` is `error`.
pub(crate) fn explain(error: io::Error, message: String) -> io::Error {
    explain_as(error.kind(), error, message)
}

/// Like [`explain`], with another kind.
pub(crate) fn explain_as(kind: io::ErrorKind, error: io::Error, message: String) -> io::Error {
    io::Error::new(kind, Explained { message, error: Arc::new(error) })
}

/// Returns an error with the same kind and text, whose clones keep its source.
pub(crate) fn shareable(error: io::Error) -> io::Error {
    match error.get_ref() {
        Some(inner) if !inner.is::<Explained>() => {
            let message = error.to_string();
            explain(error, message)
        }
        _ => error,
    }
}

/// Returns a clone: of the same kind, with the same text and the same system number. The clone of
/// an error with a message has the same source.
pub(crate) fn clone_error(error: &io::Error) -> io::Error {
    if let Some(code) = error.raw_os_error() {
        return io::Error::from_raw_os_error(code);
    }
    let (kind, text) = (error.kind(), error.to_string());
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Explained>());
    if let Some(explained) = inner {
        return io::Error::new(kind, explained.clone());
    }
    match raw_os_error(error) {
        Some(code) => explain_as(kind, io::Error::from_raw_os_error(code), text),
        None => io::Error::new(kind, text),
    }
}

/// Returns the system's number (errno) of an error, also of one that has a message.
///
/// An [`io::Error`] holds a number or a text, never both. Where evloop adds a sentence (which
/// address, which program, which path), `io::Error::raw_os_error` therefore returns `None`. The
/// system's error is then the [`source`](std::error::Error::source). This function returns the
/// error's own number, or else that of the first `io::Error` among its sources. Other crates that
/// wrap errors keep their number in the same way.
///
/// ```
/// use evloop::net::TcpListener;
///
/// evloop::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let error = TcpListener::bind(listener.local_addr()?).await.unwrap_err();
///     assert!(error.to_string().starts_with("could not listen on 127.0.0.1:"));
///     assert_eq!(error.raw_os_error(), None);
///     assert!(evloop::io::raw_os_error(&error).is_some());
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub fn raw_os_error(error: &io::Error) -> Option<i32> {
    error.raw_os_error().or_else(|| {
        // `source` would skip an `io::Error` that is wrapped directly.
        let first: &(dyn Error + 'static) = error.get_ref()?;
        let mut sources = std::iter::successors(Some(first), |&error| error.source());
        sources.find_map(|error| error.downcast_ref::<io::Error>()).and_then(raw_os_error)
    })
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Explained {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The `source` of an `io::Error` that wraps an error skips that error.
        match self.error.get_ref() {
            Some(inner) => Some(inner),
            None => Some(&*self.error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explained_and_cloned_errors_keep_kind_text_and_number() {
        let system = || io::Error::from_raw_os_error(2);
        let explained = || explain(system(), format!("no map: {}", system()));
        let cloned = clone_error(&explained());
        for error in [clone_error(&cloned), cloned, explained()] {
            assert_eq!(error.kind(), system().kind());
            assert_eq!(error.to_string(), format!("no map: {}", system()));
            assert_eq!(raw_os_error(&error), Some(2));
        }
        assert_eq!(clone_error(&system()).raw_os_error(), Some(2));
        let own = clone_error(&io::Error::new(io::ErrorKind::TimedOut, "too late"));
        assert_eq!((own.kind(), own.to_string().as_str()), (io::ErrorKind::TimedOut, "too late"));
        assert_eq!(raw_os_error(&own), None);
        assert_eq!(raw_os_error(&io::Error::other(io::Error::other(explained()))), Some(2));
    }

    #[test]
    fn clones_of_a_shareable_error_keep_its_source() {
        let number = || "x".parse::<u8>().unwrap_err();
        let wrapped = || io::Error::new(io::ErrorKind::InvalidData, number());
        for error in [shareable(wrapped()), explain(wrapped(), number().to_string())] {
            let cloned = clone_error(&clone_error(&shareable(error)));
            assert_eq!(cloned.kind(), io::ErrorKind::InvalidData);
            assert_eq!(cloned.to_string(), number().to_string());
            let source = cloned.source().and_then(|source| source.downcast_ref());
            assert_eq!(source, Some(&number()));
        }
        assert_eq!(shareable(io::Error::from_raw_os_error(2)).raw_os_error(), Some(2));
    }
}
