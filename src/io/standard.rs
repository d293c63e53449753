//! The program's own descriptors, as a loop sees them. Unix.
//!
//! Other programs share them, and would be surprised if a terminal did not block any more: none is
//! made non-blocking, and poll(2) is asked before each operation.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::async_fd::AsyncFd;
use crate::blocking;
use crate::current::budget;
use crate::reactor::{Direction, WaiterKey};

/// Bytes that a pipe takes without waiting once it takes any (PIPE_BUF).
#[cfg(any(target_os = "linux", target_os = "android"))]
const PIECE: usize = 4096;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PIECE: usize = 512;

/// A duplicate of one of them.
#[derive(Debug)]
pub(super) enum Standard {
    /// A pipe, a terminal, a socket.
    Watched(AsyncFd<OwnedFd>),
    /// What is always ready: a file.
    File(Arc<OwnedFd>),
}

/// Reads from a file, on a helper thread.
#[derive(Clone)]
pub(super) struct FileReader(Arc<OwnedFd>);

impl FileReader {
    pub(super) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(&self.0, buf)?)
    }
}

impl Standard {
    pub(super) fn stdin() -> io::Result<Standard> {
        Standard::new(io::stdin())
    }

    pub(super) fn stdout() -> io::Result<Standard> {
        Standard::new(io::stdout())
    }

    pub(super) fn stderr() -> io::Result<Standard> {
        Standard::new(io::stderr())
    }

    fn new(shared: impl AsFd) -> io::Result<Standard> {
        match AsyncFd::new(shared.as_fd().try_clone_to_owned()?) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(Standard::File(Arc::new(shared.as_fd().try_clone_to_owned()?)))
            }
            fd => Ok(Standard::Watched(fd?)),
        }
    }

    /// Reads what is there. `Err`: what a helper thread is to run instead, with room for bytes.
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        waiter: &mut WaiterKey,
        buf: &mut [u8],
    ) -> Result<Poll<io::Result<usize>>, FileReader> {
        match self {
            Standard::Watched(fd) => {
                Ok(fd.poll_io(Direction::Read, cx, waiter, |fd| {
                    Ok(rustix::io::read(fd, &mut *buf)?)
                }))
            }
            Standard::File(fd) => Err(FileReader(fd.clone())),
        }
    }

    /// Writes a piece of `buf`. A file takes it at once.
    pub(super) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        waiter: &mut WaiterKey,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Standard::Watched(fd) => fd.poll_io(Direction::Write, cx, waiter, |fd| {
                Ok(rustix::io::write(fd, &buf[..buf.len().min(PIECE)])?)
            }),
            Standard::File(fd) => {
                // Always ready: who writes much lets others run.
                ready!(budget::poll_left(cx));
                budget::spend();
                Poll::Ready(blocking::uninterrupted(|| Ok(rustix::io::write(fd, buf)?)))
            }
        }
    }

    /// Waits no more.
    pub(super) fn leave(&self, direction: Direction, waiter: &mut WaiterKey) {
        if let Standard::Watched(fd) = self {
            fd.leave(direction, waiter);
        }
    }
}
