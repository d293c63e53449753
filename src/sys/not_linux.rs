//! Everything but Linux and Android: the same names as in `linux`, by what std offers.

use std::io;
#[cfg(unix)]
use std::os::unix::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;
#[cfg(unix)]
use rustix::net::SocketAddrUnix;

/// Counts nanoseconds from when it was made, by std's `Instant`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Monotonic {
    origin: Instant,
}

impl Monotonic {
    pub(crate) fn new() -> Monotonic {
        Monotonic { origin: Instant::now() }
    }

    pub(crate) fn nanos(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The thread's first reading is zero: std returns no number.
pub(crate) fn coarse_nanos() -> u64 {
    thread_local!(static ORIGIN: Monotonic = Monotonic::new());
    ORIGIN.with(Monotonic::nanos)
}

/// `None`: the system cannot send a file by itself.
pub(crate) fn sendfile<F>(_: &TcpStream, _: &F, _: u64, _: usize) -> io::Result<Option<usize>> {
    Ok(None)
}

/// The address of a name.
#[cfg(unix)]
pub(crate) fn abstract_address(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux has abstract names"))
}

/// rustix's address of one that is no path.
#[cfg(unix)]
pub(crate) fn abstract_to_raw(_: &SocketAddr) -> io::Result<SocketAddrUnix> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, "the address is no path"))
}

/// The name of an address, if it has one.
#[cfg(unix)]
pub(crate) fn abstract_of_raw(_: &SocketAddrUnix) -> Option<&[u8]> {
    None
}
