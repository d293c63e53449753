//! A pipe in memory: one direction of bytes.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::current::budget;
use crate::io_traits::{read_by_reference, tokio_read, tokio_write, write_by_reference};
use crate::wait::store_waker;

/// The reading end of a pipe in memory; see [`simplex`].
///
/// It implements `AsyncRead` of futures-io by value and by reference. At most one task can wait:
/// the last one that polled.
pub struct SimplexReader(Rc<Pipe>);

/// The writing end of a pipe in memory; see [`simplex`].
///
/// It implements `AsyncWrite` of futures-io by value and by reference. At most one task can wait:
/// the last one that polled. Closing or dropping it ends the stream of the reader.
pub struct SimplexWriter(Rc<Pipe>);

/// One direction.
struct Pipe {
    bytes: RefCell<VecDeque<u8>>,
    capacity: usize,
    /// The writing end was closed.
    is_write_closed: Cell<bool>,
    /// The reading end was dropped.
    is_read_closed: Cell<bool>,
    reader: Cell<Option<Waker>>,
    writer: Cell<Option<Waker>>,
}

/// Creates a pipe in memory, which holds up to `capacity` bytes; a write beyond that waits. For
/// both directions, see [`duplex`](super::duplex()). It works under any executor.
///
/// After the reader is dropped, a write returns `BrokenPipe`.
///
/// # Panics
///
/// If `capacity` is 0.
///
/// # Cancel safety
///
/// A read or write that is dropped before it completes has no effect.
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
///
/// futures::executor::block_on(async {
///     let (mut reader, mut writer) = evloop::io::simplex(64);
///     writer.write_all(b"hello").await?;
///     drop(writer);
///     let mut text = String::new();
///     reader.read_to_string(&mut text).await?;
///     assert_eq!(text, "hello");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn simplex(capacity: usize) -> (SimplexReader, SimplexWriter) {
    assert!(capacity > 0, "the capacity of a simplex is 0: it must be at least 1 byte");
    let pipe = Rc::new(Pipe::new(capacity));
    (SimplexReader(pipe.clone()), SimplexWriter(pipe))
}

impl SimplexReader {
    pub(super) fn len(&self) -> usize {
        self.0.bytes.borrow().len()
    }
}

impl SimplexWriter {
    pub(super) fn len(&self) -> usize {
        self.0.bytes.borrow().len()
    }
}

impl Pipe {
    fn new(capacity: usize) -> Pipe {
        Pipe {
            bytes: RefCell::default(),
            capacity,
            is_write_closed: Cell::new(false),
            is_read_closed: Cell::new(false),
            reader: Cell::new(None),
            writer: Cell::new(None),
        }
    }

    fn poll_read(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(budget::poll_left(cx));
        let has_capacity = bufs.iter().any(|buf| !buf.is_empty());
        if has_capacity && self.bytes.borrow().is_empty() && !self.is_write_closed.get() {
            store_waker(&self.reader, cx.waker());
            return Poll::Pending;
        }
        budget::spend();
        let mut read = 0;
        for buf in bufs {
            // The second read takes the bytes behind the wrap-around of the ring buffer.
            let n = self.bytes.borrow_mut().read(buf)?;
            read += n + self.bytes.borrow_mut().read(&mut buf[n..])?;
        }
        wake(&self.writer);
        Poll::Ready(Ok(read))
    }

    fn poll_write(&self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        ready!(budget::poll_left(cx));
        if self.is_write_closed.get() || self.is_read_closed.get() {
            budget::spend();
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let before = self.bytes.borrow().len();
        if before == self.capacity && bufs.iter().any(|buf| !buf.is_empty()) {
            store_waker(&self.writer, cx.waker());
            return Poll::Pending;
        }
        budget::spend();
        let mut bytes = self.bytes.borrow_mut();
        for buf in bufs {
            let n = (self.capacity - bytes.len()).min(buf.len());
            bytes.extend(&buf[..n]);
        }
        let written = bytes.len() - before;
        drop(bytes);
        wake(&self.reader);
        Poll::Ready(Ok(written))
    }

    fn close_write(&self) {
        self.is_write_closed.set(true);
        wake(&self.reader);
    }

    fn close_read(&self) {
        self.is_read_closed.set(true);
        drop(self.bytes.take());
        wake(&self.writer);
    }
}

/// Wakes the task that waits, if there is one.
fn wake(waiter: &Cell<Option<Waker>>) {
    if let Some(waker) = waiter.take() {
        waker.wake();
    }
}

impl AsyncRead for &SimplexReader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, &mut [IoSliceMut::new(buf)])
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, bufs)
    }
}

impl AsyncWrite for &SimplexWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ends the stream of the reader.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.close_write();
        Poll::Ready(Ok(()))
    }
}

read_by_reference!([] SimplexReader, &SimplexReader, |it| it);
write_by_reference!([] SimplexWriter, &SimplexWriter, |it| it);
tokio_read!([] SimplexReader);
tokio_read!([] & SimplexReader);
tokio_write!([] SimplexWriter, true);
tokio_write!([] & SimplexWriter, true);

impl Drop for SimplexReader {
    fn drop(&mut self) {
        self.0.close_read();
        // The waker of this end: without this the other end would keep it.
        drop(self.0.reader.take());
    }
}

impl Drop for SimplexWriter {
    fn drop(&mut self) {
        self.0.close_write();
        drop(self.0.writer.take());
    }
}

impl fmt::Debug for SimplexReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimplexReader").field("to_read", &self.len()).finish()
    }
}

impl fmt::Debug for SimplexWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimplexWriter").field("unread", &self.len()).finish()
    }
}
