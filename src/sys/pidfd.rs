//! A descriptor that becomes readable when a process ends. Linux.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::process::Child;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token, event};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

#[derive(Debug)]
pub(crate) struct Pidfd(OwnedFd);

impl Pidfd {
    /// Opens a descriptor for a child process.
    ///
    /// # Errors
    ///
    /// On Linux before 5.3, or if a sandbox forbids the call.
    pub(crate) fn open(child: &Child) -> io::Result<Pidfd> {
        Ok(Pidfd(pidfd_open(Pid::from_child(child), PidfdFlags::empty())?))
    }

    /// Sends a signal. It never reaches another process that reuses the process id.
    pub(crate) fn send(&self, signal: Signal) -> rustix::io::Result<()> {
        pidfd_send_signal(&self.0, signal)
    }
}

impl AsRawFd for Pidfd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl event::Source for Pidfd {
    fn register(&mut self, registry: &Registry, token: Token, what: Interest) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).register(registry, token, what)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, what: Interest) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).reregister(registry, token, what)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).deregister(registry)
    }
}
