//! The names of `pipe_write` on systems without such a call. Also used with mio's poll(2) selector,
//! so that tests on Linux cover this path.

use std::io::{self, IoSlice, Write};
use std::os::fd::AsFd;

use mio::unix::pipe::Sender;

pub(crate) fn write_now(_: impl AsFd, _: &[u8]) -> io::Result<Option<usize>> {
    Ok(None)
}

pub(crate) fn write_pipe(mut io: &Sender, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    io.write_vectored(bufs)
}
