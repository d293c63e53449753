//! Writing to a pipe without the SIGPIPE that write(2) raises when nobody reads. Linux 6.18.

use std::cell::Cell;
use std::io::{self, IoSlice, Write};

use mio::unix::pipe::Sender;
use rustix::io::{Errno, ReadWriteFlags, pwritev2};

/// RWF_NOSIGNAL of linux/fs.h.
const NO_SIGNAL: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x100);
/// Where a pipe is written to: it has no positions.
const AT_THE_END: u64 = u64::MAX;

thread_local! {
    /// The system knows the flag, as far as this thread has learned.
    static IS_KNOWN: Cell<bool> = const { Cell::new(true) };
}

pub(crate) fn write_pipe(mut io: &Sender, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    if IS_KNOWN.get() {
        match io.try_io(|| Ok(pwritev2(io, bufs, AT_THE_END, NO_SIGNAL)?)) {
            Err(error) if is_unknown(&error) => IS_KNOWN.set(false),
            written => return written,
        }
    }
    io.write_vectored(bufs)
}

/// An older system answers so, or a sandbox that forbids what it does not know.
fn is_unknown(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::PERM))
}
