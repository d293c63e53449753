//! Names of Unix sockets that have no file: there are none but on Linux.

use std::io;
use std::os::unix::net::SocketAddr;

use rustix::net::SocketAddrUnix;

/// The address of a name.
pub(super) fn address(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux has abstract names"))
}

/// rustix's address of one that is no path.
pub(super) fn to_raw(_: &SocketAddr) -> io::Result<SocketAddrUnix> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, "the address is no path"))
}

/// The name of an address, if it has one.
pub(super) fn of_raw(_: &SocketAddrUnix) -> Option<&[u8]> {
    None
}
