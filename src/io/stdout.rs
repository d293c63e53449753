//! The standard output and the standard error of the program.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::AsyncWrite;

use super::standard::Standard;
use crate::io_traits::tokio_write;
use crate::reactor::{Direction, WaiterKey};

/// The standard output or the standard error of the program; created by [`stdout`] and [`stderr`].
///
/// The loop waits for a full pipe or terminal as for a socket; a write to a file completes at once.
/// The mode of the descriptor is not changed: it stays blocking for other programs that share it.
/// Nothing is buffered here. `print!` of std buffers an incomplete line, so its text may appear
/// after text that is written here later.
#[derive(Debug)]
pub struct Output {
    open: fn() -> io::Result<Standard>,
    /// Opened by the first write.
    standard: Option<Standard>,
    /// The waiter of this handle for the descriptor.
    waiter: WaiterKey,
}

/// Returns a handle to standard output.
///
/// ```
/// evloop::block_on(async { evloop::io::stdout().write_all(b"hello\n").await }).unwrap();
/// ```
pub fn stdout() -> Output {
    Output { open: Standard::stdout, standard: None, waiter: WaiterKey::default() }
}

/// Returns a handle to standard error.
pub fn stderr() -> Output {
    Output { open: Standard::stderr, standard: None, waiter: WaiterKey::default() }
}

impl Output {
    /// Writes some bytes of `buf`, at least one unless it is empty.
    ///
    /// # Errors
    ///
    /// Kind `BrokenPipe` if all readers of the pipe have closed it. (Rust programs ignore SIGPIPE
    /// by default.)
    ///
    /// # Cancel safety
    ///
    /// Nothing is written if the future is dropped before it completes.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub async fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let wait = Wait(self);
        poll_fn(|cx| wait.0.poll_some(cx, buf)).await
    }

    /// Writes all of `buf`.
    ///
    /// # Errors
    ///
    /// As [`write`](Output::write).
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the number of written bytes is lost.
    pub async fn write_all(&mut self, mut buf: &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            match self.write(buf).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => buf = &buf[n..],
            }
        }
        Ok(())
    }

    fn poll_some(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.standard.is_none() {
            self.standard = Some((self.open)()?);
        }
        let standard = self.standard.as_ref().expect("it was just opened");
        standard.poll_write(cx, &mut self.waiter, buf)
    }
}

/// The guard of a future of [`Output`] that waits. Dropping it removes the waiter.
struct Wait<'a>(&'a mut Output);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(standard) = &self.0.standard {
            standard.deregister(Direction::Write, &mut self.0.waiter);
        }
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_some(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Does nothing: the descriptor belongs to the program.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

tokio_write!([] Output, false);

impl Drop for Output {
    fn drop(&mut self) {
        drop(Wait(self));
    }
}
