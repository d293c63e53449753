//! A connection in memory.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::current::budget;
use crate::wait::keep;

/// One end of a connection in memory; see [`duplex`].
///
/// It has futures-io's traits by value and by reference; at most one task can wait in each
/// direction, the last that polled. Closing it ends its write direction: the other end reads what
/// was written, and then the end. Dropping it also makes the other end's writes give `BrokenPipe`.
pub struct DuplexStream {
    /// Where it reads from, and where it writes to.
    from: Rc<Pipe>,
    to: Rc<Pipe>,
}

/// One way.
struct Pipe {
    bytes: RefCell<VecDeque<u8>>,
    capacity: usize,
    /// Nothing more will be written.
    is_closed: Cell<bool>,
    /// Nobody will read.
    is_abandoned: Cell<bool>,
    reader: Cell<Option<Waker>>,
    writer: Cell<Option<Waker>>,
}

/// Two ends of a connection in memory: what is written to one is read from the other. Each way
/// holds up to `capacity` bytes; who writes more waits. For tests, and for what takes a stream
/// where there is none. It works under any executor.
///
/// # Panics
///
/// If `capacity` is 0.
///
/// # Cancel safety
///
/// A read or write that is dropped before it completes has done nothing.
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
///
/// futures::executor::block_on(async {
///     let (mut one, mut other) = evloop::io::duplex(64);
///     one.write_all(b"ping").await?;
///     drop(one);
///     let mut text = String::new();
///     other.read_to_string(&mut text).await?;
///     assert_eq!(text, "ping");
///     assert!(other.write(b"pong").await.is_err());
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub fn duplex(capacity: usize) -> (DuplexStream, DuplexStream) {
    assert!(capacity > 0, "a duplex holds a byte at least: give it a capacity above 0");
    let [one, other] = [(); 2].map(|()| Rc::new(Pipe::new(capacity)));
    (DuplexStream { from: one.clone(), to: other.clone() }, DuplexStream { from: other, to: one })
}

impl Pipe {
    fn new(capacity: usize) -> Pipe {
        Pipe {
            bytes: RefCell::default(),
            capacity,
            is_closed: Cell::new(false),
            is_abandoned: Cell::new(false),
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
        let is_asked = bufs.iter().any(|buf| !buf.is_empty());
        if is_asked && self.bytes.borrow().is_empty() && !self.is_closed.get() {
            keep(&self.reader, cx.waker());
            return Poll::Pending;
        }
        budget::spend();
        let mut read = 0;
        for buf in bufs {
            // The second time for what goes round the end.
            let n = self.bytes.borrow_mut().read(buf)?;
            read += n + self.bytes.borrow_mut().read(&mut buf[n..])?;
        }
        wake(&self.writer);
        Poll::Ready(Ok(read))
    }

    fn poll_write(&self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        ready!(budget::poll_left(cx));
        if self.is_closed.get() || self.is_abandoned.get() {
            budget::spend();
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let before = self.bytes.borrow().len();
        if before == self.capacity && bufs.iter().any(|buf| !buf.is_empty()) {
            keep(&self.writer, cx.waker());
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

    fn close(&self) {
        self.is_closed.set(true);
        wake(&self.reader);
    }

    /// Nobody reads any more.
    fn abandon(&self) {
        self.is_abandoned.set(true);
        drop(self.bytes.take());
        wake(&self.writer);
    }
}

/// Wakes who waits, if anybody does.
fn wake(waiter: &Cell<Option<Waker>>) {
    if let Some(waker) = waiter.take() {
        waker.wake();
    }
}

impl AsyncRead for &DuplexStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.from.poll_read(cx, &mut [IoSliceMut::new(buf)])
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.from.poll_read(cx, bufs)
    }
}

impl AsyncWrite for &DuplexStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.to.poll_write(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.to.poll_write(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ends the write direction.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.to.close();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for DuplexStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for DuplexStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_close(cx)
    }
}

impl Drop for DuplexStream {
    fn drop(&mut self) {
        self.to.close();
        self.from.abandon();
        // Its own task waits no more.
        drop((self.from.reader.take(), self.to.writer.take()));
    }
}

impl fmt::Debug for DuplexStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (came, left) = (self.from.bytes.borrow().len(), self.to.bytes.borrow().len());
        f.debug_struct("DuplexStream").field("to_read", &came).field("unread", &left).finish()
    }
}
