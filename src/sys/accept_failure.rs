//! The classes of accept(2) errors.

/// The meaning of an error of accept(2) for a loop that accepts connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptFailure {
    /// One connection failed before it was accepted. The next accept may succeed.
    Connection,
    /// No descriptor, or no memory for one, is left. The listener pauses by itself.
    Starved,
    /// The error may disappear, or may occur again at once.
    Transient,
    /// The listener can accept no more connections.
    Permanent,
}
