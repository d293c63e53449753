//! Addresses as a simulated world has them, and as the program has them. Layer L4.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::{ffi::OsStr, os::unix::ffi::OsStrExt, os::unix::net::SocketAddr as UnixAddr};

#[cfg(unix)]
use super::unix_path::{parse_address, to_raw};
#[cfg(unix)]
use crate::{sys, world::UnixName};

/// An address as a world has it.
pub(super) trait WorldAddr {
    /// The type of the address in the program.
    type Addr;

    fn to_program(self) -> io::Result<Self::Addr>;
}

impl WorldAddr for SocketAddr {
    type Addr = SocketAddr;

    fn to_program(self) -> io::Result<SocketAddr> {
        Ok(self)
    }
}

#[cfg(unix)]
impl WorldAddr for UnixName {
    type Addr = UnixAddr;

    fn to_program(self) -> io::Result<UnixAddr> {
        let path = OsStr::from_bytes(self.bytes().unwrap_or_default());
        parse_address(path.as_ref())
    }
}

/// Returns the address of a Unix socket as a world has it.
#[cfg(unix)]
pub(super) fn name_of(addr: &UnixAddr) -> UnixName {
    if let Some(path) = addr.as_pathname() {
        return UnixName::new(path.as_os_str().as_bytes());
    }
    let raw = to_raw(addr).ok();
    let name = raw.as_ref().and_then(sys::abstract_of_raw);
    name.map_or_else(UnixName::default, |name| UnixName::new(&[&[0], name].concat()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_standard_library() {
        let addrs = [UnixAddr::from_pathname(""), UnixAddr::from_pathname("/a")];
        let abstract_name = sys::abstract_address(b"/a").ok();
        for addr in addrs.into_iter().flatten().chain(abstract_name) {
            let name = name_of(&addr);
            assert_eq!(format!("{:?}", name.clone().to_program().unwrap()), format!("{addr:?}"));
            assert_eq!(name.bytes().is_none(), addr.is_unnamed());
        }
    }
}
