//! Bytes on their way from a reader to a writer.
//!
//! Invariant: only what the writer did not take is kept, so that a transfer that waits for its
//! reader holds no memory.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::current::{budget, read_buffer};

/// How far a transfer is.
#[derive(Debug, Default)]
pub(super) struct Transfer {
    /// Read and not written yet, from `begin` on.
    left: Vec<u8>,
    begin: usize,
    /// How many bytes were written.
    written: u64,
    /// The writer may hold some of them.
    is_unflushed: bool,
    /// The reader has ended.
    is_at_end: bool,
}

impl Transfer {
    /// Completes with the number of bytes once all were written and flushed.
    pub(super) fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        loop {
            ready!(self.poll_write_left(cx, writer))?;
            if self.is_at_end {
                ready!(self.poll_flush(cx, writer))?;
                return Poll::Ready(Ok(self.written));
            }
            // Of those that are always ready, none spends the budget of an evloop.
            ready!(budget::poll_left(cx));
            budget::spend();
            if self.poll_pass(cx, reader, writer)?.is_pending() {
                ready!(self.poll_flush(cx, writer))?;
                return Poll::Pending;
            }
        }
    }

    /// Reads once, and writes as much of it as the writer takes.
    fn poll_pass<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        read_buffer::lend(|room| {
            let n = ready!(Pin::new(reader).poll_read(cx, room))?;
            self.is_at_end = n == 0;
            let mut bytes = &room[..n];
            while !bytes.is_empty() {
                match self.poll_write(cx, writer, bytes)? {
                    Poll::Ready(n) => bytes = &bytes[n..],
                    Poll::Pending => {
                        self.left = bytes.to_vec();
                        break;
                    }
                }
            }
            Poll::Ready(Ok(()))
        })
    }

    fn poll_write_left(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut (impl AsyncWrite + Unpin + ?Sized),
    ) -> Poll<io::Result<()>> {
        if self.left.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while self.begin < self.left.len() {
            let left = std::mem::take(&mut self.left);
            let polled = self.poll_write(cx, writer, &left[self.begin..]);
            self.left = left;
            self.begin += ready!(polled)?;
        }
        (self.left, self.begin) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut (impl AsyncWrite + Unpin + ?Sized),
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(writer).poll_write(cx, bytes))?;
        if n == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.is_unflushed = true;
        self.written += n as u64;
        Poll::Ready(Ok(n))
    }

    fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut (impl AsyncWrite + Unpin + ?Sized),
    ) -> Poll<io::Result<()>> {
        if self.is_unflushed {
            ready!(Pin::new(writer).poll_flush(cx))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}
