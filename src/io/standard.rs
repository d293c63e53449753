//! The standard descriptors of the program, registered with a loop. Unix.
//!
//! Other programs share these descriptors and rely on their blocking mode. So the mode is not
//! changed, and poll(2) is called before each operation.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::async_fd::AsyncFd;
use crate::blocking;
use crate::context;
use crate::current::budget;
use crate::reactor::{Direction, WaiterKey};
use crate::sys;

/// How many bytes are written at once, where a write may wait. A pipe that poll(2) reports writable
/// accepts so many without waiting (PIPE_BUF).
#[cfg(any(target_os = "linux", target_os = "android"))]
const WRITE_MAX: usize = 4096;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const WRITE_MAX: usize = 512;

/// A duplicate of a standard descriptor.
#[derive(Debug)]
pub(super) enum Standard {
    /// A pipe, a terminal, a socket.
    Watched(Watched),
    /// A descriptor that is always ready: a file.
    File(Arc<OwnedFd>),
}

/// A descriptor that the loop watches.
#[derive(Debug)]
pub(super) struct Watched {
    fd: AsyncFd<OwnedFd>,
    /// The system can write to it without waiting; `true` until a call fails.
    writes_now: Cell<bool>,
}

/// Reads from a file, on a thread of the blocking pool.
#[derive(Clone)]
pub(super) struct FileReader(Arc<OwnedFd>);

impl FileReader {
    pub(super) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(&self.0, buf)?)
    }
}

impl Standard {
    pub(super) fn stdin() -> io::Result<Standard> {
        Standard::new("io::stdin", io::stdin().as_fd())
    }

    pub(super) fn stdout() -> io::Result<Standard> {
        Standard::new("io::stdout", io::stdout().as_fd())
    }

    pub(super) fn stderr() -> io::Result<Standard> {
        Standard::new("io::stderr", io::stderr().as_fd())
    }

    fn new(what: &str, shared: BorrowedFd<'_>) -> io::Result<Standard> {
        drop(context::expect(what));
        match AsyncFd::new(shared.try_clone_to_owned()?) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(Standard::File(Arc::new(shared.try_clone_to_owned()?)))
            }
            fd => Ok(Standard::Watched(Watched { fd: fd?, writes_now: Cell::new(true) })),
        }
    }

    /// Reads the bytes that are available. Returns `Err` with a reader for the blocking pool if the
    /// descriptor is a file.
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        waiter: &mut WaiterKey,
        buf: &mut [u8],
    ) -> Result<Poll<io::Result<usize>>, FileReader> {
        match self {
            Standard::Watched(Watched { fd, .. }) => {
                Ok(fd.poll_io(Direction::Read, cx, waiter, |fd| {
                    Ok(rustix::io::read(fd, &mut *buf)?)
                }))
            }
            Standard::File(fd) => Err(FileReader(fd.clone())),
        }
    }

    /// Writes some bytes of `buf`. A write to a file never waits.
    pub(super) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        waiter: &mut WaiterKey,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Standard::Watched(watched) => {
                watched.fd.poll_io(Direction::Write, cx, waiter, |fd| watched.write(fd, buf))
            }
            Standard::File(fd) => {
                // Always ready: the budget lets other tasks run.
                ready!(budget::poll_unit(cx));
                Poll::Ready(blocking::uninterrupted(|| Ok(rustix::io::write(fd, buf)?)))
            }
        }
    }

    /// Removes a waiter.
    pub(super) fn deregister(&self, direction: Direction, waiter: &mut WaiterKey) {
        if let Standard::Watched(Watched { fd, .. }) = self {
            fd.deregister(direction, waiter);
        }
    }
}

impl Watched {
    /// Writes once, after poll(2) has reported that some bytes can be written.
    fn write(&self, fd: &OwnedFd, buf: &[u8]) -> io::Result<usize> {
        if self.writes_now.get() {
            if let Some(n) = sys::write_now(fd, buf)? {
                return Ok(n);
            }
            self.writes_now.set(false);
        }
        Ok(rustix::io::write(fd, &buf[..buf.len().min(WRITE_MAX)])?)
    }
}
