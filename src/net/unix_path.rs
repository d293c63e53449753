//! The addresses of Unix sockets: a path, or on Linux an abstract name. Layer L4.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rustix::net::{SocketAddrAny, SocketAddrUnix};

use crate::io_error::explain;
use crate::sys;
use crate::time::sleep;

/// Returns the address of `path`. After a leading NUL, the rest of the path is an abstract name.
pub(super) fn parse_address(path: &Path) -> io::Result<SocketAddr> {
    let address = match path.as_os_str().as_bytes() {
        [0, name @ ..] => sys::abstract_address(name),
        _ => SocketAddr::from_pathname(path),
    };
    address.map_err(|error| not_an_address(path, error))
}

#[cold]
fn not_an_address(path: &Path, error: io::Error) -> io::Error {
    let bytes = path.as_os_str().as_bytes();
    // The NUL before an abstract name takes the place of the NUL after a path.
    let length = bytes.strip_prefix(&[0]).unwrap_or(bytes).len();
    let longest = longest_path();
    let sentence = if length > longest {
        format!(
            "{path:?} is too long for a Unix socket: it has {length} bytes, and this system \
             allows {longest}: choose a shorter path, or one relative to the current folder"
        )
    } else {
        format!("{path:?} is not an address of a Unix socket: {error}")
    };
    explain(error, sentence)
}

/// Returns the number of bytes of the longest path: 107 on Linux, 103 on BSD and macOS. std knows
/// the system's limit, but has no constant for it.
fn longest_path() -> usize {
    let fits = |length: usize| SocketAddr::from_pathname("a".repeat(length)).is_ok();
    let mut length = 0;
    while length < 256 && fits(length + 1) {
        length += 1;
    }
    length
}

/// Adds the operation and the address to an error of the system.
pub(super) fn address_error(operation: &str, addr: &SocketAddr, error: io::Error) -> io::Error {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse if addr.as_pathname().is_some() => {
            " (the file exists: remove it first, if no server uses it)"
        }
        io::ErrorKind::ConnectionRefused if addr.as_pathname().is_some() => {
            " (the file exists, but no server listens there)"
        }
        _ if addr.is_unnamed() => " (bind the socket first)",
        _ => "",
    };
    let sentence = match addr.as_pathname() {
        Some(path) => format!("could not {operation} {path:?}: {error}{hint}"),
        None => format!("could not {operation} {addr:?}: {error}{hint}"),
    };
    explain(error, sentence)
}

/// Converts an address to the type of rustix.
pub(super) fn to_raw(addr: &SocketAddr) -> io::Result<SocketAddrUnix> {
    match addr.as_pathname() {
        Some(path) => Ok(SocketAddrUnix::new(path)?),
        None => sys::abstract_to_raw(addr),
    }
}

/// Converts an address to the type of std.
pub(super) fn from_raw(raw: Option<SocketAddrAny>) -> io::Result<SocketAddr> {
    let raw = raw.and_then(|raw| SocketAddrUnix::try_from(raw).ok());
    if let Some(name) = raw.as_ref().and_then(sys::abstract_of_raw) {
        return sys::abstract_address(name);
    }
    let path = raw.as_ref().and_then(SocketAddrUnix::path_bytes).unwrap_or_default();
    SocketAddr::from_pathname(OsStr::from_bytes(path))
}

/// The first pause between two attempts.
const RETRY_PAUSE: Duration = Duration::from_millis(1);
/// The longest pause between two attempts.
const RETRY_PAUSE_MAX: Duration = Duration::from_millis(50);

/// Repeats `attempt` until it returns anything but `WouldBlock`. The pause between two attempts
/// doubles. A timer is needed, since the system reports no event when a full queue has capacity
/// again.
pub(super) async fn retry_when_full<T>(
    mut attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let mut pause = RETRY_PAUSE;
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        sleep(pause).await;
        pause = RETRY_PAUSE_MAX.min(pause * 2);
    }
}
