//! What the program says.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::AsyncWrite;

use super::standard::Standard;
use crate::reactor::{Direction, WaiterKey};

/// The program's standard output or error; made by [`stdout`] and [`stderr`].
///
/// The loop waits for a pipe or terminal that is full, as it does for a socket; a file takes what
/// is written at once. The descriptor is not changed: other programs that share it find it blocking
/// as before. Nothing is buffered here: what `print!` has said without an end of line may come
/// later.
#[derive(Debug)]
pub struct Output {
    open: fn() -> io::Result<Standard>,
    /// Opened by the first write.
    standard: Option<Standard>,
    /// Its place among who waits.
    waiter: WaiterKey,
}

/// A handle to standard output.
///
/// ```
/// evloop::block_on(async { evloop::io::stdout().write_all(b"hello\n").await }).unwrap();
/// ```
#[doc(alias = "connect_write_pipe")]
pub fn stdout() -> Output {
    Output { open: Standard::stdout, standard: None, waiter: WaiterKey::default() }
}

/// A handle to standard error.
#[doc(alias = "connect_write_pipe")]
pub fn stderr() -> Output {
    Output { open: Standard::stderr, standard: None, waiter: WaiterKey::default() }
}

impl Output {
    /// Writes some of `buf`, at least a byte unless it is empty.
    ///
    /// # Errors
    ///
    /// Kind `BrokenPipe` if nobody reads any more. (Rust programs ignore SIGPIPE, unless they have
    /// asked for it.)
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
    /// Not cancel safe: how much was written is not told.
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

/// A future of [`Output`]'s that waits. Dropped, it leaves no waiter behind.
struct Wait<'a>(&'a mut Output);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(standard) = &self.0.standard {
            standard.leave(Direction::Write, &mut self.0.waiter);
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

    /// Does nothing: the descriptor is the program's.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        drop(Wait(self));
    }
}
