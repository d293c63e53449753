//! tokio's traits of I/O pass through a `Local`: feature `tokio-io`. Layer L4.
//!
//! Each method panics where `Local::with` does.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::local::Local;

impl<T: AsyncRead + Unpin> AsyncRead for Local<T> {
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        self.with(|io| Pin::new(io).poll_read(cx, buf))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Local<T> {
    #[track_caller]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        self.with(|io| Pin::new(io).poll_write(cx, buf))
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.with(|io| Pin::new(io).poll_write_vectored(cx, bufs))
    }

    #[track_caller]
    fn is_write_vectored(&self) -> bool {
        self.with(|io| io.is_write_vectored())
    }

    #[track_caller]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.with(|io| Pin::new(io).poll_flush(cx))
    }

    #[track_caller]
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.with(|io| Pin::new(io).poll_shutdown(cx))
    }
}
