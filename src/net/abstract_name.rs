//! Names of Unix sockets that have no file. Linux.

use std::io;
#[cfg(target_os = "android")]
use std::os::android::net::SocketAddrExt;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

use rustix::net::SocketAddrUnix;

/// std's address of a name.
pub(super) fn address(name: &[u8]) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

/// rustix's address of one that is no path.
pub(super) fn to_raw(addr: &SocketAddr) -> io::Result<SocketAddrUnix> {
    match addr.as_abstract_name() {
        Some(name) => Ok(SocketAddrUnix::new_abstract_name(name)?),
        None => Ok(SocketAddrUnix::new_unnamed()),
    }
}

/// The name of an address, if it has one.
pub(super) fn of_raw(raw: &SocketAddrUnix) -> Option<&[u8]> {
    raw.abstract_name()
}
