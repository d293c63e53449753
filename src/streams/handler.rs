//! What a server's handler may return.

use std::fmt;

/// What a connection's handler returns: nothing, or a `Result` whose error is reported.
///
/// It cannot be implemented elsewhere.
pub trait Outcome: private::Sealed {}

mod private {
    pub trait Sealed {
        /// The error, to be told.
        fn outcome(self) -> Result<(), impl std::fmt::Display>;
    }
}

pub(super) use private::Sealed;

impl Outcome for () {}
impl Sealed for () {
    fn outcome(self) -> Result<(), impl fmt::Display> {
        Ok::<(), &str>(())
    }
}

impl<T, E: fmt::Display> Outcome for Result<T, E> {}
impl<T, E: fmt::Display> Sealed for Result<T, E> {
    fn outcome(self) -> Result<(), impl fmt::Display> {
        self.map(drop)
    }
}
