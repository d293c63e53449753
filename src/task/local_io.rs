//! The traits of futures that pass through a `Local`. Layer L4.
//!
//! Each method panics where `Local::with` does.

use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_io::{AsyncRead, AsyncSeek, AsyncWrite};

use super::local::Local;

impl<T: Future + Unpin> Future for Local<T> {
    type Output = T::Output;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T::Output> {
        self.with(|future| Pin::new(future).poll(cx))
    }
}

impl<T: Stream + Unpin> Stream for Local<T> {
    type Item = T::Item;

    #[track_caller]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T::Item>> {
        self.with(|stream| Pin::new(stream).poll_next(cx))
    }

    #[track_caller]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.with(|stream| stream.size_hint())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Local<T> {
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|io| Pin::new(io).poll_read(cx, buf))
    }

    #[track_caller]
    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.with(|io| Pin::new(io).poll_read_vectored(cx, bufs))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Local<T> {
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|io| Pin::new(io).poll_write(cx, buf))
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.with(|io| Pin::new(io).poll_write_vectored(cx, bufs))
    }

    #[track_caller]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|io| Pin::new(io).poll_flush(cx))
    }

    #[track_caller]
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|io| Pin::new(io).poll_close(cx))
    }
}

impl<T: AsyncSeek + Unpin> AsyncSeek for Local<T> {
    #[track_caller]
    fn poll_seek(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pos: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        self.with(|io| Pin::new(io).poll_seek(cx, pos))
    }
}
