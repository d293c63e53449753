//! A socket as the system knows it. Windows.

use std::io;
use std::net::TcpStream;
pub(super) use std::os::windows::io::OwnedSocket as Owned;

/// Whether operations on it do not wait: the system does not tell, so they do.
pub(super) fn is_nonblocking(_: &Owned) -> io::Result<bool> {
    Ok(false)
}

/// The same socket, of which operations wait or do not.
pub(super) fn with_nonblocking(socket: Owned, nonblocking: bool) -> io::Result<Owned> {
    // The call is the same for sockets of every kind.
    let socket = TcpStream::from(socket);
    socket.set_nonblocking(nonblocking)?;
    Ok(socket.into())
}
