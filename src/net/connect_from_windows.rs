//! Connecting from an address of the caller's choice. Windows, where neither std nor mio can.

use std::io;
use std::net::{SocketAddr, TcpStream};

pub(super) fn connect_from(_: SocketAddr, _: SocketAddr) -> io::Result<TcpStream> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "local_addr is not available on Windows"))
}
