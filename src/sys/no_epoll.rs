//! Other selectors: a wait ends up to a millisecond late; the meaning of an edge.

use std::io;
use std::time::Duration;

use mio::{Registry, Token};

#[derive(Debug)]
pub(crate) struct Alarm;

impl Alarm {
    pub(crate) fn new() -> Alarm {
        Alarm
    }

    pub(crate) fn set(&self, _: Duration, _: &Registry, _: Token) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a short read or write proves that the socket's buffer is empty or full. kqueue does not
/// report an urgent mark, which causes a short read too. The emulated edges of poll(2) and Windows
/// come only after a WouldBlock that mio saw.
pub(crate) const SHORT_IS_DRAINED: bool = false;

/// Whether mio emulates edges on top of poll(2): on systems without a better selector, or if a cfg
/// forces it. That selector removes a descriptor with a hang-up or an error, and reports only one
/// event per registration for I/O objects that are not mio's.
pub(crate) const IS_EMULATED: bool = cfg!(all(
    unix,
    any(
        mio_unsupported_force_poll_poll,
        not(any(
            target_vendor = "apple",
            target_os = "freebsd",
            target_os = "netbsd",
            target_os = "openbsd",
            target_os = "dragonfly",
            target_os = "illumos",
            target_os = "redox"
        ))
    )
));

/// Returns whether the error stands for a WouldBlock: mio returns NotFound after its selector has
/// removed the descriptor. The system's own NotFound has a number.
pub(crate) fn is_forgotten(error: &io::Error) -> bool {
    let is_bare = || error.raw_os_error().is_none() && error.get_ref().is_none();
    IS_EMULATED && error.kind() == io::ErrorKind::NotFound && is_bare()
}
