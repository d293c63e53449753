//! The operations on a TCP socket, and what each says of what is left.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};

use super::send_vectored;
use crate::source::Done;

pub(super) fn read(mut io: &mio::net::TcpStream, buf: &mut [u8]) -> io::Result<Done<usize>> {
    let room = buf.len();
    io.read(buf).map(|n| Done { value: n, short: n < room && n > 0 })
}

pub(super) fn read_vectored(
    mut io: &mio::net::TcpStream,
    bufs: &mut [IoSliceMut<'_>],
) -> io::Result<Done<usize>> {
    // The system fills at most IOV_MAX buffers at once: few bytes need not mean an empty socket.
    whole(io.read_vectored(bufs))
}

pub(super) fn write(mut io: &mio::net::TcpStream, buf: &[u8]) -> io::Result<Done<usize>> {
    io.write(buf).map(|n| Done { value: n, short: n < buf.len() && n > 0 })
}

pub(super) fn write_vectored(
    io: &mio::net::TcpStream,
    bufs: &[IoSlice<'_>],
) -> io::Result<Done<usize>> {
    // The system takes at most IOV_MAX buffers at once: few bytes need not mean a full socket.
    whole(send_vectored::send(io, bufs))
}

/// A result of which the number says nothing about what is left.
pub(super) fn whole<T>(result: io::Result<T>) -> io::Result<Done<T>> {
    result.map(|value| Done { value, short: false })
}
