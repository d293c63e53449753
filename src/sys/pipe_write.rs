//! Writing to a pipe without the SIGPIPE that write(2) raises after the reading end was closed
//! (Linux 6.18), and without waiting in blocking mode (Linux 6.4).

use std::cell::Cell;
use std::io::{self, IoSlice, Write};
use std::os::fd::AsFd;

use mio::unix::pipe::Sender;
use rustix::io::{Errno, ReadWriteFlags, pwritev2};

/// RWF_NOSIGNAL of linux/fs.h.
const NO_SIGNAL: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x100);
/// The offset -1 of pwritev2(2): a pipe has no positions.
const NO_OFFSET: u64 = u64::MAX;

thread_local! {
    /// Whether the system supports the flag; `true` until a call fails.
    static IS_SUPPORTED: Cell<bool> = const { Cell::new(true) };
}

pub(crate) fn write_pipe(mut io: &Sender, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    if IS_SUPPORTED.get() {
        match io.try_io(|| Ok(pwritev2(io, bufs, NO_OFFSET, NO_SIGNAL)?)) {
            Err(error) if is_unsupported(&error) => IS_SUPPORTED.set(false),
            written => return written,
        }
    }
    io.write_vectored(bufs)
}

/// Writes what the descriptor accepts now, although it may be in blocking mode. Returns `None` if
/// the system cannot do that with this kind of descriptor: since Linux 6.4 it can with a pipe, and
/// since 4.13 with a socket.
pub(crate) fn write_now(fd: impl AsFd, buf: &[u8]) -> io::Result<Option<usize>> {
    match pwritev2(fd, &[IoSlice::new(buf)], NO_OFFSET, ReadWriteFlags::NOWAIT) {
        Err(errno) if is_unsupported(&errno.into()) => Ok(None),
        written => Ok(Some(written?)),
    }
}

/// Returns whether the error comes from an older system, or from a sandbox that forbids the call.
fn is_unsupported(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::PERM))
}
