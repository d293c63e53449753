//! Linux and Android: the clock, sendfile(2), abstract names of Unix sockets.
//!
//! The clock is the one that std's `Instant` reads. `Instant` does not expose its number, and
//! computing the number from the difference of two instants takes longer than reading the clock.

use std::io;
#[cfg(target_os = "android")]
use std::os::android::net::SocketAddrExt;
use std::os::fd::AsFd;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

use mio::net::TcpStream;
use rustix::io::Errno;
use rustix::net::SocketAddrUnix;
use rustix::time::{ClockId, clock_gettime};

/// Counts nanoseconds from its creation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Monotonic {
    origin: u64,
}

impl Monotonic {
    pub(crate) fn new() -> Monotonic {
        Monotonic { origin: nanos() }
    }

    /// Returns the nanoseconds since the creation; 0 if the system's clock was set back before it.
    pub(crate) fn nanos(&self) -> u64 {
        nanos().saturating_sub(self.origin)
    }

    /// Like [`nanos`](Monotonic::nanos), at the kernel's last tick: up to 4 ms earlier.
    pub(crate) fn coarse_nanos(&self) -> u64 {
        coarse_nanos().saturating_sub(self.origin)
    }
}

/// Returns the time of the kernel's last tick. Reads only memory that the kernel shares (vDSO).
pub(crate) fn coarse_nanos() -> u64 {
    read(ClockId::MonotonicCoarse)
}

/// Returns the system's number of the calling thread: its name in `/proc/self/task`.
pub(crate) fn thread_number() -> Option<u32> {
    std::fs::read_link("/proc/thread-self").ok()?.file_name()?.to_str()?.parse().ok()
}

fn nanos() -> u64 {
    read(ClockId::Monotonic)
}

/// Returns the nanoseconds since the start of the system: 64 bits hold five centuries.
fn read(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Sends up to `len` bytes of `file` from the position `at`, with sendfile(2). Returns 0 at the end
/// of the file, and `None` if the system cannot send from this kind of file.
pub(crate) fn sendfile(
    socket: &TcpStream,
    file: &impl AsFd,
    at: u64,
    len: usize,
) -> io::Result<Option<usize>> {
    let sent = socket.try_io(|| Ok(rustix::fs::sendfile(socket, file, Some(&mut { at }), len)?));
    match sent {
        Ok(sent) => Ok(Some(sent)),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::INVAL | Errno::NOSYS | Errno::OVERFLOW) => Ok(None),
            _ => Err(error),
        },
    }
}

/// Returns the address of an abstract name, in std's type.
pub(crate) fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

/// Converts an address without a path to rustix's type.
pub(crate) fn abstract_to_raw(addr: &SocketAddr) -> io::Result<SocketAddrUnix> {
    match addr.as_abstract_name() {
        Some(name) => Ok(SocketAddrUnix::new_abstract_name(name)?),
        None => Ok(SocketAddrUnix::new_unnamed()),
    }
}

/// Returns the abstract name of an address, if it has one.
pub(crate) fn abstract_of_raw(raw: &SocketAddrUnix) -> Option<&[u8]> {
    // rustix returns an empty name for the address of a socket without one.
    raw.abstract_name().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_is_at_zero() {
        assert_eq!(Monotonic { origin: u64::MAX }.nanos(), 0);
    }
}
