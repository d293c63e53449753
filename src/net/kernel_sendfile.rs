//! Having the system send a file. Linux.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::sendfile;
use rustix::io::Errno;

use super::counted::whole;
use super::tcp_stream::TcpStream;
use crate::reactor::Direction;

/// Bytes that are asked for at once: the socket takes fewer, and the loop is not held up for long.
const PIECE: u64 = 1 << 20;

/// Sends some bytes. 0: the file has ended. `None`: it is none that the system could send.
pub(super) async fn send(
    stream: &TcpStream,
    file: &impl AsFd,
    at: u64,
    left: u64,
) -> io::Result<Option<u64>> {
    let len = usize::try_from(left.min(PIECE)).expect("a piece is short");
    // What a file gives says nothing of what the socket has room for.
    let sent = stream.end.io(Direction::Write, |io| {
        whole(io.try_io(|| Ok(sendfile(io, file, Some(&mut { at }), len)?)))
    });
    match sent.await {
        Ok(sent) => Ok(Some(sent as u64)),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::INVAL | Errno::NOSYS | Errno::OVERFLOW) => Ok(None),
            _ => Err(error),
        },
    }
}
