//! hyper's traits of I/O pass through a `Local`. Layer L4.
//!
//! Each method panics where `Local::with` does.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use ::hyper::rt::{Read, ReadBufCursor, Write};

use crate::task::Local;

impl<T: Read + Unpin> Read for Local<T> {
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|io| Pin::new(io).poll_read(cx, buf))
    }
}

impl<T: Write + Unpin> Write for Local<T> {
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|io| Pin::new(io).poll_write(cx, buf))
    }

    #[track_caller]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|io| Pin::new(io).poll_flush(cx))
    }

    #[track_caller]
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|io| Pin::new(io).poll_shutdown(cx))
    }

    #[track_caller]
    fn is_write_vectored(&self) -> bool {
        self.with(|io| io.is_write_vectored())
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.with(|io| Pin::new(io).poll_write_vectored(cx, bufs))
    }
}
