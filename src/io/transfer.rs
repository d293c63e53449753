//! A transfer of bytes from a reader to a writer.
//!
//! Invariant: only bytes that the writer has not accepted are stored. So a transfer that waits for
//! its reader holds no memory.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::current::{budget, read_buffer};

/// The progress of a transfer.
#[derive(Debug)]
pub(super) struct Transfer {
    /// The maximum number of bytes of one read.
    read_max: usize,
    /// The bytes that were read and not written, from `begin` on.
    unwritten: Vec<u8>,
    begin: usize,
    /// The number of bytes that were written.
    written: u64,
    /// The writer may buffer some written bytes.
    is_unflushed: bool,
    /// The reader has ended.
    is_at_end: bool,
}

impl Transfer {
    /// Creates a transfer that reads at most `read_max` bytes at once.
    pub(super) fn new(read_max: usize) -> Transfer {
        Transfer {
            read_max,
            unwritten: Vec::new(),
            begin: 0,
            written: 0,
            is_unflushed: false,
            is_at_end: false,
        }
    }

    /// Completes with the number of bytes once all bytes were written and flushed.
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
            ready!(self.poll_write_stored(cx, writer))?;
            if self.is_at_end {
                ready!(self.poll_flush(cx, writer))?;
                return Poll::Ready(Ok(self.written));
            }
            // A reader and a writer that are always ready may spend no budget themselves.
            ready!(budget::poll_unit(cx));
            if self.poll_pass(cx, reader, writer)?.is_pending() {
                // The reader waits: buffered bytes must not wait with it.
                ready!(self.poll_flush(cx, writer))?;
                return Poll::Pending;
            }
        }
    }

    /// Reads once, and writes the bytes that the writer accepts.
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
        read_buffer::with_buffer(|buffer| {
            let max = buffer.len().min(self.read_max);
            let n = ready!(Pin::new(reader).poll_read(cx, &mut buffer[..max]))?;
            self.is_at_end = n == 0;
            let mut bytes = &buffer[..n];
            while !bytes.is_empty() {
                match self.poll_write(cx, writer, bytes)? {
                    Poll::Ready(n) => bytes = &bytes[n..],
                    Poll::Pending => {
                        self.unwritten = bytes.to_vec();
                        break;
                    }
                }
            }
            Poll::Ready(Ok(()))
        })
    }

    /// Writes the stored bytes.
    fn poll_write_stored(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut (impl AsyncWrite + Unpin + ?Sized),
    ) -> Poll<io::Result<()>> {
        if self.unwritten.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while self.begin < self.unwritten.len() {
            let unwritten = std::mem::take(&mut self.unwritten);
            let polled = self.poll_write(cx, writer, &unwritten[self.begin..]);
            self.unwritten = unwritten;
            self.begin += ready!(polled)?;
        }
        (self.unwritten, self.begin) = (Vec::new(), 0);
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
