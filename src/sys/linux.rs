//! Linux and Android: the clock, sendfile(2), abstract names of Unix sockets.
//!
//! The clock is the one of std's `Instant`, which does not give its number: to compute it from the
//! difference of two takes longer than to read the clock.

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

/// Counts nanoseconds from when it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Monotonic {
    origin: u64,
}

impl Monotonic {
    pub(crate) fn new() -> Monotonic {
        Monotonic { origin: nanos() }
    }

    /// Zero, if the system's clock was put back to before it.
    pub(crate) fn nanos(&self) -> u64 {
        nanos().saturating_sub(self.origin)
    }
}

/// As of the last tick of the kernel: this reads a word of memory that the kernel shares.
pub(crate) fn coarse_nanos() -> u64 {
    read(ClockId::MonotonicCoarse)
}

fn nanos() -> u64 {
    read(ClockId::Monotonic)
}

/// Since the system was started: 64 bits hold five centuries.
fn read(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Sends up to `len` bytes of `file` from the byte `at` on, by sendfile(2). 0: the file has ended.
/// `None`: the system cannot send from this kind of file.
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

/// std's address of a name.
pub(crate) fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

/// rustix's address of one that is no path.
pub(crate) fn abstract_to_raw(addr: &SocketAddr) -> io::Result<SocketAddrUnix> {
    match addr.as_abstract_name() {
        Some(name) => Ok(SocketAddrUnix::new_abstract_name(name)?),
        None => Ok(SocketAddrUnix::new_unnamed()),
    }
}

/// The name of an address, if it has one.
pub(crate) fn abstract_of_raw(raw: &SocketAddrUnix) -> Option<&[u8]> {
    raw.abstract_name()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_put_back_is_at_its_begin() {
        assert_eq!(Monotonic { origin: u64::MAX }.nanos(), 0);
    }
}
