//! Telling an error a second time.

use std::io;

/// The same error: by its number if it is the system's, else by its kind and words.
pub(super) fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
