//! A socket as the system knows it. Unix.

use std::io;
pub(super) use std::os::fd::OwnedFd as Owned;

use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::ioctl_fionbio;

/// Whether operations on it do not wait.
pub(super) fn is_nonblocking(fd: &Owned) -> io::Result<bool> {
    Ok(fcntl_getfl(fd)?.contains(OFlags::NONBLOCK))
}

/// The same socket, of which operations wait or do not.
pub(super) fn with_nonblocking(fd: Owned, nonblocking: bool) -> io::Result<Owned> {
    ioctl_fionbio(&fd, nonblocking)?;
    Ok(fd)
}
