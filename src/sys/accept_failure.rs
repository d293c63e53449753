//! What a failed accept says of the listener.

/// What an error of accept means for who accepts in a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptFailure {
    /// One connection failed before it was accepted; the next accept finds another one.
    Connection,
    /// No descriptor, or no memory for one, is left. The listener pauses by itself.
    Starved,
    /// It may pass, and it may come again at once.
    Transient,
    /// The listener accepts nothing any more.
    Permanent,
}
