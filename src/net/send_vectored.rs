//! Sending several buffers at once, without the SIGPIPE that writev(2) raises. Unix.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;

use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

/// Buffers that every system takes at once (POSIX allows 16 at the least; all have this many).
const BUFFERS_MAX: usize = 1024;

pub(super) fn send_vectored(socket: impl AsFd, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    let bufs = &bufs[..bufs.len().min(BUFFERS_MAX)];
    Ok(sendmsg(socket, bufs, &mut SendAncillaryBuffer::default(), NO_SIGNAL)?)
}

/// Where there is no flag, the socket itself was told not to raise it.
#[cfg(any(target_vendor = "apple", target_os = "netbsd"))]
pub(super) const NO_SIGNAL: SendFlags = SendFlags::empty();
#[cfg(not(any(target_vendor = "apple", target_os = "netbsd")))]
pub(super) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
