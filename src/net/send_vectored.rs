//! Sending several buffers at once, without the SIGPIPE that writev(2) raises. Unix.

use std::io::{self, IoSlice};

use mio::net::TcpStream;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

/// Buffers that every system takes at once (POSIX allows 16 at the least; all have this many).
const BUFFERS_MAX: usize = 1024;

pub(super) fn send(stream: &TcpStream, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    let bufs = &bufs[..bufs.len().min(BUFFERS_MAX)];
    stream.try_io(|| {
        let mut no_control = SendAncillaryBuffer::default();
        Ok(sendmsg(stream, bufs, &mut no_control, FLAGS)?)
    })
}

/// Where there is no flag, the socket itself was told not to raise it.
#[cfg(any(target_vendor = "apple", target_os = "netbsd"))]
const FLAGS: SendFlags = SendFlags::empty();
#[cfg(not(any(target_vendor = "apple", target_os = "netbsd")))]
const FLAGS: SendFlags = SendFlags::NOSIGNAL;
