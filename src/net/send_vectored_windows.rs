//! Sending several buffers at once. Windows.

use std::io::{self, IoSlice, Write};

use mio::net::TcpStream;

pub(super) fn send_vectored(mut stream: &TcpStream, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    stream.write_vectored(bufs)
}
