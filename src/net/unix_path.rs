//! The addresses of Unix sockets: a path, or on Linux an abstract name.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

/// The address that `path` says. One that begins with a NUL is an abstract name: what follows it.
pub(super) fn address(path: &Path) -> io::Result<SocketAddr> {
    let address = match path.as_os_str().as_bytes() {
        [0, name @ ..] => abstract_address(name),
        _ => SocketAddr::from_pathname(path),
    };
    address.map_err(|error| about("is no address of a Unix socket", path, &error))
}

/// What the system said of a socket's address, with the address.
pub(super) fn failure(what: &str, addr: &SocketAddr, error: &io::Error) -> io::Error {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse if addr.as_pathname().is_some() => {
            " (there is a file already: remove it first, if no server uses it)"
        }
        _ => "",
    };
    io::Error::new(error.kind(), format!("could not {what} {addr:?}: {error}{hint}"))
}

fn about(what: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{path:?} {what}: {error}"))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_address(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "abstract names are Linux's alone"))
}
