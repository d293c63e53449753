//! The names of `pidfd` on systems without pidfds. Also used with mio's poll(2) selector, so that
//! tests on Linux cover the path without a pidfd.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::process::Child;

use mio::{Interest, Registry, Token, event};
use rustix::process::Signal;

#[derive(Debug)]
pub(crate) enum Pidfd {}

impl Pidfd {
    pub(crate) fn open(_: &Child) -> io::Result<Pidfd> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn send(&self, _: Signal) -> rustix::io::Result<()> {
        match *self {}
    }
}

impl AsRawFd for Pidfd {
    fn as_raw_fd(&self) -> RawFd {
        match *self {}
    }
}

impl event::Source for Pidfd {
    fn register(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        match *self {}
    }

    fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        match *self {}
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        match *self {}
    }
}
