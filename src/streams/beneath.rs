//! The connection of a reader and a writer without their buffers, as an object with the traits of
//! futures-io. TLS runs on it.
//!
//! Invariant: neither the reader nor the writer holds bytes when the object is made.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use super::shared_stream::SharedStream;
use super::writer::StreamWriter;
use crate::reactor::{Direction, Done, WaiterKey};

/// The connection. Dropping it closes the connection at once.
pub(super) struct Beneath {
    writer: StreamWriter,
    reads: WaiterKey,
    writes: WaiterKey,
    changes: WaiterKey,
}

impl Beneath {
    pub(super) fn new(writer: StreamWriter) -> Beneath {
        let [reads, writes, changes] = [(); 3].map(|()| WaiterKey::default());
        Beneath { writer: writer.abort_on_drop(), reads, writes, changes }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        send: impl Fn(&SharedStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let shared = &self.writer.shared;
        shared.socket.source().poll_io(Direction::Write, cx, &mut self.writes, || {
            send(shared).map(|value| Done { value, short: false })
        })
    }

    fn poll_until(
        &mut self,
        cx: &mut Context<'_>,
        is_done: impl Fn(&SharedStream) -> bool,
    ) -> Poll<io::Result<()>> {
        self.writer.shared.poll_wait(cx, &mut self.changes, is_done)
    }
}

impl AsyncRead for Beneath {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Beneath { writer, reads, .. } = self.get_mut();
        let socket = &writer.shared.socket;
        socket.source().poll_io(Direction::Read, cx, reads, || socket.receive(buf))
    }
}

impl AsyncWrite for Beneath {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, |shared| shared.socket.try_write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, |shared| shared.socket.try_write_vectored(bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.writer.shared.has_sent() {
            true => Poll::Ready(Ok(())),
            false => self.get_mut().poll_until(cx, SharedStream::has_sent),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.writer.shared.end();
        this.poll_until(cx, SharedStream::has_ended)
    }
}

impl Drop for Beneath {
    fn drop(&mut self) {
        let shared: &Rc<SharedStream> = &self.writer.shared;
        shared.socket.source().deregister(Direction::Read, &mut self.reads);
        shared.socket.source().deregister(Direction::Write, &mut self.writes);
        shared.deregister(&mut self.changes);
    }
}
