//! The I/O traits of other crates, for types whose module implements them in one form only.
//!
//! Layer L4. Invariant: nothing here but forwarding. A module implements the traits of futures-io
//! once: for a reference, or for a value that has state of its own.

mod by_value;
#[cfg(feature = "tokio-io")]
mod tokio_io;

#[cfg(all(feature = "streams", feature = "tokio-io"))]
pub(crate) use tokio_io::{poll_read, read, write};
