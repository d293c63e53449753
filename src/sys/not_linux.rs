//! Systems other than Linux and Android: the names of `linux`, implemented with std.

use std::io;
#[cfg(unix)]
use std::os::unix::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;
#[cfg(unix)]
use rustix::net::SocketAddrUnix;

/// Counts nanoseconds from its creation, with std's `Instant`.
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

    /// Returns the same: there is no cheaper clock.
    pub(crate) fn coarse_nanos(&self) -> u64 {
        self.nanos()
    }
}

/// Returns the nanoseconds since the thread's first call: std's `Instant` exposes no number.
pub(crate) fn coarse_nanos() -> u64 {
    thread_local!(static ORIGIN: Monotonic = Monotonic::new());
    ORIGIN.with(Monotonic::nanos)
}

/// Returns `None`: the system has no `/proc` that describes threads.
pub(crate) fn thread_number() -> Option<u32> {
    None
}

/// Returns `None`: the crate does not use sendfile(2) on this system.
pub(crate) fn sendfile<F>(_: &TcpStream, _: &F, _: u64, _: usize) -> io::Result<Option<usize>> {
    Ok(None)
}

/// Fails: the system has no abstract names.
#[cfg(unix)]
pub(crate) fn abstract_address(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux has abstract names"))
}

/// Fails: an address without a path cannot be converted.
#[cfg(unix)]
pub(crate) fn abstract_to_raw(_: &SocketAddr) -> io::Result<SocketAddrUnix> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, "the address of the Unix socket has no path"))
}

/// Returns `None`: the system has no abstract names.
#[cfg(unix)]
pub(crate) fn abstract_of_raw(_: &SocketAddrUnix) -> Option<&[u8]> {
    None
}
