//! Reading and writing the ends of a pipe. Unix only. Layer L4.
//!
//! Invariant: no operation here waits. The caller decides whether an operation is tried.

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::os::fd::AsFd;

use mio::unix::pipe;
use rustix::io::ioctl_fionread;

use super::transport::{IoObject, done, done_bytes};
use crate::io::state;
use crate::reactor::Done;
use crate::sys;

/// The read end of a pipe.
pub(super) trait ReadEnd: IoObject {
    fn read(&self, buf: &mut [u8]) -> io::Result<Done<usize>>;
    fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Done<usize>>;
    /// Returns whether all writers have closed the pipe, and no byte is left. A FIFO without a
    /// writer is not readable before the first one.
    fn is_at_end(&self) -> io::Result<bool>;
}

/// The write end of a pipe.
pub(super) trait WriteEnd: IoObject {
    fn write(&self, buf: &[u8]) -> io::Result<Done<usize>>;
    fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<Done<usize>>;
}

/// A short count does not mean that the pipe is empty: with O_DIRECT each write is a packet of its
/// own.
impl ReadEnd for pipe::Receiver {
    fn read(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
        let can_fill = !buf.is_empty();
        done(self.try_io(|| check_end(self, can_fill, Read::read(&mut &*self, buf))))
    }

    fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Done<usize>> {
        let can_fill = bufs.iter().any(|buf| !buf.is_empty());
        done(self.try_io(|| check_end(self, can_fill, Read::read_vectored(&mut &*self, bufs))))
    }

    fn is_at_end(&self) -> io::Result<bool> {
        is_at_end(self)
    }
}

impl WriteEnd for pipe::Sender {
    fn write(&self, buf: &[u8]) -> io::Result<Done<usize>> {
        done_bytes(sys::write_pipe(self, &[IoSlice::new(buf)]), buf.len())
    }

    fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<Done<usize>> {
        done(sys::write_pipe(self, bufs))
    }
}

/// Turns a read of 0 bytes into `WouldBlock` while no writer has opened the FIFO yet. The first one
/// may open it and write after that read: then the bytes are read next.
fn check_end(io: &pipe::Receiver, can_fill: bool, result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Ok(0) if can_fill && !is_at_end(io)? => Err(io::ErrorKind::WouldBlock.into()),
        result => result,
    }
}

fn is_at_end(pipe: impl AsFd) -> io::Result<bool> {
    // An unchecked file may not report the number of its bytes: then its read of 0 is the end.
    Ok(state(pipe.as_fd())?.is_readable() && ioctl_fionread(&pipe).unwrap_or(0) == 0)
}
