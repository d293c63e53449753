//! What this system's edges are worth.

use std::io;

/// Whether a read or write that was cut short proves that the socket is drained. So it is with
/// epoll. kqueue does not tell of an urgent mark, which cuts a read short too; the emulated edges
/// of poll(2) and Windows come only after a WouldBlock that mio saw.
pub(super) const SHORT_IS_DRAINED: bool = cfg!(all(
    any(target_os = "linux", target_os = "android"),
    not(mio_unsupported_force_poll_poll)
));

/// Whether mio emulates edges on top of poll(2): where the system has no better selector, or a cfg
/// says so. Its selector forgets a descriptor that has hung up or has an error, and reports one
/// event a registration for what is not mio's own.
pub(crate) const IS_EMULATED: bool = cfg!(all(
    unix,
    any(
        mio_unsupported_force_poll_poll,
        not(any(
            target_os = "linux",
            target_os = "android",
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

/// Whether mio answers a WouldBlock by this error, since its selector has forgotten the descriptor.
/// The system's own NotFound has a number.
pub(super) fn is_forgotten(error: &io::Error) -> bool {
    let is_bare = || error.raw_os_error().is_none() && error.get_ref().is_none();
    IS_EMULATED && error.kind() == io::ErrorKind::NotFound && is_bare()
}
