//! The same where no call does that, and with mio's poll(2) selector, so that its tests go the
//! other way.

use std::io::{self, IoSlice, Write};

use mio::unix::pipe::Sender;

pub(crate) fn write_pipe(mut io: &Sender, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    io.write_vectored(bufs)
}
