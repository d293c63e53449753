//! The program's own handles. Windows, where nobody can wait for them: a helper thread reads.

use std::io::{self, Read, Write};
use std::task::{Context, Poll, ready};

use crate::current::budget;
use crate::reactor::{Direction, WaiterKey};

/// One of them.
#[derive(Debug)]
pub(super) enum Standard {
    Stdin,
    Stdout,
    Stderr,
}

/// Reads, on a helper thread.
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

    /// What a helper thread is to run.
    pub(super) fn poll_read(
        &self,
        _: &mut Context<'_>,
        _: &mut WaiterKey,
        _: &mut [u8],
    ) -> Result<Poll<io::Result<usize>>, FileReader> {
        Err(FileReader)
    }

    /// Writes at once.
    pub(super) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        _: &mut WaiterKey,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        // Always ready: who writes much lets others run.
        ready!(budget::poll_left(cx));
        budget::spend();
        Poll::Ready(match self {
            Standard::Stderr => io::stderr().write(buf),
            _ => {
                io::stdout().write_all(buf).and_then(|()| io::stdout().flush()).map(|()| buf.len())
            }
        })
    }

    /// Nobody waits.
    pub(super) fn leave(&self, _: Direction, _: &mut WaiterKey) {}
}
