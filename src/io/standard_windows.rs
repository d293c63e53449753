//! The standard handles of the program. On Windows a loop cannot wait for them: a thread of the
//! blocking pool reads.

use std::io::{self, Read, Write};
use std::task::{Context, Poll, ready};

use crate::current::budget;
use crate::reactor::{Direction, WaiterKey};

/// A standard handle.
#[derive(Debug)]
pub(super) enum Standard {
    Stdin,
    Stdout,
    Stderr,
}

/// Reads, on a thread of the blocking pool.
#[derive(Clone)]
pub(super) struct FileReader;

impl FileReader {
    pub(super) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        io::stdin().read(buf)
    }
}

impl Standard {
    pub(super) fn stdin() -> io::Result<Standard> {
        Ok(Standard::Stdin)
    }

    pub(super) fn stdout() -> io::Result<Standard> {
        Ok(Standard::Stdout)
    }

    pub(super) fn stderr() -> io::Result<Standard> {
        Ok(Standard::Stderr)
    }

    /// Returns a reader for the blocking pool.
    pub(super) fn poll_read(
        &self,
        _: &mut Context<'_>,
        _: &mut WaiterKey,
        _: &mut [u8],
    ) -> Result<Poll<io::Result<usize>>, FileReader> {
        Err(FileReader)
    }

    /// Writes at once; this may block.
    pub(super) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        _: &mut WaiterKey,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        // Always ready: the budget lets other tasks run.
        ready!(budget::poll_unit(cx));
        Poll::Ready(match self {
            Standard::Stderr => io::stderr().write(buf),
            _ => {
                io::stdout().write_all(buf).and_then(|()| io::stdout().flush()).map(|()| buf.len())
            }
        })
    }

    /// Does nothing: no task is registered.
    pub(super) fn deregister(&self, _: Direction, _: &mut WaiterKey) {}
}
