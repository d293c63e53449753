//! The readiness of the ends of pipes, and operations that do not wait. Unix only. Layer L4.

use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::task::{Context, Poll};

use super::pipe_ends::{Receiver, Sender};
use super::pipe_transfer::{ReadEnd, WriteEnd};
use crate::io::Interest;
use crate::reactor::Direction;

/// Readiness, and operations that do not wait.
impl Receiver {
    /// Waits until the pipe may be readable. The readiness may be stale.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
        self.end.socket.ready(Direction::Read)
    }

    /// Polls for readability, as [`readable`](Receiver::readable) does. At most one task waits in
    /// it and in `AsyncRead`: the last task that polled.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end.poll_ready(Direction::Read, cx)
    }

    /// Runs the caller's own operation on the descriptor; see
    /// [`Connection::try_io`](super::Connection::try_io).
    pub fn try_io<R>(
        &self,
        interest: Interest,
        mut op: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        self.end.try_io(interest, |io| io.try_io(&mut op))
    }

    /// Reads the available bytes without waiting.
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if no byte is available.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Read, |io| io.read(buf))
    }

    /// Reads the available bytes into several buffers without waiting.
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if no byte is available.
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Read, |io| io.read_vectored(bufs))
    }
}

/// Readiness, and operations that do not wait.
impl Sender {
    /// Waits until the pipe may be writable. The readiness may be stale.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> {
        self.end.socket.ready(Direction::Write)
    }

    /// Polls for writability, as [`writable`](Sender::writable) does. At most one task waits in it
    /// and in `AsyncWrite`: the last task that polled.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end.poll_ready(Direction::Write, cx)
    }

    /// Runs the caller's own operation on the descriptor; see
    /// [`Connection::try_io`](super::Connection::try_io).
    pub fn try_io<R>(
        &self,
        interest: Interest,
        mut op: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        self.end.try_io(interest, |io| io.try_io(&mut op))
    }

    /// Writes the bytes that the pipe accepts without waiting.
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if the pipe is full; else as [`write`](Sender::write).
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Write, |io| io.write(buf))
    }

    /// Writes the bytes of several buffers that the pipe accepts without waiting.
    ///
    /// # Errors
    ///
    /// As [`try_write`](Sender::try_write).
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Write, |io| io.write_vectored(bufs))
    }
}
