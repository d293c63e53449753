//! The addresses of Unix sockets.

#[cfg(unix)]
use std::{ffi::OsStr, io, os::unix::ffi::OsStrExt, os::unix::net::SocketAddr, path::Path};

use std::rc::Rc;

#[cfg(unix)]
use crate::sys;

/// The address of a Unix socket: no name, a path, or on Linux an abstract name after a NUL.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UnixName(pub(super) Option<Rc<[u8]>>);

impl UnixName {
    /// Returns whether the name ends with its socket: it is no file.
    pub(super) fn is_abstract(&self) -> bool {
        self.0.as_ref().is_some_and(|name| name.first() == Some(&0))
    }
}

#[cfg(unix)]
impl UnixName {
    pub(super) fn of(addr: &SocketAddr) -> UnixName {
        if let Some(path) = addr.as_pathname() {
            return UnixName::of_path(path);
        }
        let raw = sys::abstract_to_raw(addr).ok();
        let name = raw.as_ref().and_then(sys::abstract_of_raw);
        UnixName(name.map(|name| [&[0], name].concat().into()))
    }

    pub(super) fn of_path(path: &Path) -> UnixName {
        UnixName(Some(path.as_os_str().as_bytes().into()))
    }

    pub(super) fn to_std(&self) -> io::Result<SocketAddr> {
        match self.0.as_deref() {
            Some([0, name @ ..]) => sys::abstract_address(name),
            path => SocketAddr::from_pathname(OsStr::from_bytes(path.unwrap_or_default())),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_standard_library() {
        let addrs = [SocketAddr::from_pathname(""), SocketAddr::from_pathname("/a")];
        let abstract_name = sys::abstract_address(b"/a").ok();
        for addr in addrs.into_iter().flatten().chain(abstract_name) {
            let name = UnixName::of(&addr);
            assert_eq!(format!("{:?}", name.to_std().unwrap()), format!("{addr:?}"));
            assert_eq!(name.is_abstract(), !addr.is_unnamed() && addr.as_pathname().is_none());
        }
    }
}
