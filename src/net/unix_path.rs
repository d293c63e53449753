//! The addresses of Unix sockets: a path, or on Linux an abstract name.

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

/// The bytes of a path that every Unix has room for; Linux has for four more.
const FITS: usize = 103;

/// The address that `path` says. One that begins with a NUL is an abstract name: what follows it.
pub(super) fn address(path: &Path) -> io::Result<SocketAddr> {
    let address = match path.as_os_str().as_bytes() {
        [0, name @ ..] => sys::abstract_address(name),
        _ => SocketAddr::from_pathname(path),
    };
    address.map_err(|error| {
        let hint = match path.as_os_str().len() {
            ..=FITS => String::new(),
            len => format!(" (it has {len} bytes: choose one of {FITS} at most)"),
        };
        let sentence = format!("{path:?} is no address of a Unix socket: {error}{hint}");
        explain(error, sentence)
    })
}

/// What the system said of an address, with the address.
pub(super) fn failure(what: &str, addr: &SocketAddr, error: io::Error) -> io::Error {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse if addr.as_pathname().is_some() => {
            " (there is a file already: remove it first, if no server uses it)"
        }
        _ => "",
    };
    let sentence = format!("could not {what} {addr:?}: {error}{hint}");
    explain(error, sentence)
}

/// The address as rustix takes it.
pub(super) fn to_raw(addr: &SocketAddr) -> io::Result<SocketAddrUnix> {
    match addr.as_pathname() {
        Some(path) => Ok(SocketAddrUnix::new(path)?),
        None => sys::abstract_to_raw(addr),
    }
}

/// The address as std has it.
pub(super) fn of_raw(raw: Option<SocketAddrAny>) -> io::Result<SocketAddr> {
    let raw = raw.and_then(|raw| SocketAddrUnix::try_from(raw).ok());
    if let Some(name) = raw.as_ref().and_then(sys::abstract_of_raw) {
        return sys::abstract_address(name);
    }
    let path = raw.as_ref().and_then(SocketAddrUnix::path_bytes).unwrap_or_default();
    SocketAddr::from_pathname(OsStr::from_bytes(path))
}

/// How long it waits before it tries again: at first, and at most.
const PAUSE: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// The first result of `attempt` that is not a `WouldBlock`.
pub(super) async fn retry_when_full<T>(
    mut attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let mut pause = PAUSE;
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        sleep(pause).await;
        pause = PAUSE_MAX.min(pause * 2);
    }
}
