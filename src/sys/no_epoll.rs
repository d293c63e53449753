//! Other selectors: a wait ends up to a millisecond late; what an edge proves.

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

/// A read or write that was cut short does not prove that the socket is drained. kqueue does not
/// report an urgent mark, which cuts a read short too; the emulated edges of poll(2) and Windows
/// come only after a WouldBlock that mio saw.
pub(crate) const SHORT_IS_DRAINED: bool = false;

/// Whether mio emulates edges on top of poll(2): where the system has no better selector, or a cfg
/// says so. Its selector forgets a descriptor that has hung up or has an error, and reports one
/// event a registration for what is not mio's own.
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

/// Whether mio reports a WouldBlock by this error, since its selector has forgotten the descriptor.
/// The system's own NotFound has a number.
pub(crate) fn is_forgotten(error: &io::Error) -> bool {
    let is_bare = || error.raw_os_error().is_none() && error.get_ref().is_none();
    IS_EMULATED && error.kind() == io::ErrorKind::NotFound && is_bare()
}
