//! Macros that implement the I/O traits of other crates by forwarding. Layer L1.
//!
//! A type implements the traits of futures-io once: for a reference, or, if it has state of its
//! own, for the value. The macros add the other forms beside that. Each takes the generics of the
//! `impl` in brackets and the type; a `where` clause may follow.

#[cfg(feature = "tokio-io")]
use std::io::Result;
#[cfg(feature = "tokio-io")]
use std::pin::Pin;
#[cfg(feature = "tokio-io")]
use std::task::{Context, Poll, ready};

#[cfg(feature = "tokio-io")]
use tokio::io::ReadBuf;

#[cfg(feature = "tokio-io")]
use crate::current::read_buffer;

/// Implements futures-io's `AsyncRead` for a value by that of a reference, to which the function
/// converts.
macro_rules! read_by_reference {
    ([$($generics:tt)*] $type:ty, &$target:ty, $convert:expr $(, where $($bounds:tt)*)?) => {
        impl<$($generics)*> ::futures_io::AsyncRead for $type $(where $($bounds)*)? {
            fn poll_read(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buf: &mut [u8],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                let convert: fn(&Self) -> &$target = $convert;
                ::std::pin::Pin::new(&mut convert(&*self)).poll_read(cx, buf)
            }

            fn poll_read_vectored(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                bufs: &mut [::std::io::IoSliceMut<'_>],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                let convert: fn(&Self) -> &$target = $convert;
                ::std::pin::Pin::new(&mut convert(&*self)).poll_read_vectored(cx, bufs)
            }
        }
    };
}
pub(crate) use read_by_reference;

/// Does the same with `AsyncWrite`.
macro_rules! write_by_reference {
    ([$($generics:tt)*] $type:ty, &$target:ty, $convert:expr $(, where $($bounds:tt)*)?) => {
        impl<$($generics)*> ::futures_io::AsyncWrite for $type $(where $($bounds)*)? {
            fn poll_write(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buf: &[u8],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                let convert: fn(&Self) -> &$target = $convert;
                ::std::pin::Pin::new(&mut convert(&*self)).poll_write(cx, buf)
            }

            fn poll_write_vectored(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                bufs: &[::std::io::IoSlice<'_>],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                let convert: fn(&Self) -> &$target = $convert;
                ::std::pin::Pin::new(&mut convert(&*self)).poll_write_vectored(cx, bufs)
            }

            fn poll_flush(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                let convert: fn(&Self) -> &$target = $convert;
                ::std::pin::Pin::new(&mut convert(&*self)).poll_flush(cx)
            }

            fn poll_close(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                let convert: fn(&Self) -> &$target = $convert;
                ::std::pin::Pin::new(&mut convert(&*self)).poll_close(cx)
            }
        }
    };
}
pub(crate) use write_by_reference;

/// Implements tokio's `AsyncRead` by that of futures-io. Does nothing without the feature
/// `tokio-io`.
#[cfg(feature = "tokio-io")]
macro_rules! tokio_read {
    ([$($generics:tt)*] $type:ty $(, where $($bounds:tt)*)?) => {
        impl<$($generics)*> ::tokio::io::AsyncRead for $type $(where $($bounds)*)? {
            fn poll_read(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buf: &mut ::tokio::io::ReadBuf<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                $crate::io_traits::poll_read(self, cx, buf)
            }
        }
    };
}
#[cfg(not(feature = "tokio-io"))]
macro_rules! tokio_read {
    ($($ignored:tt)*) => {};
}
pub(crate) use tokio_read;

/// Does the same with `AsyncWrite`. `$is_vectored`: whether a vectored write takes more than one
/// buffer.
#[cfg(feature = "tokio-io")]
macro_rules! tokio_write {
    ([$($generics:tt)*] $type:ty, $is_vectored:literal $(, where $($bounds:tt)*)?) => {
        impl<$($generics)*> ::tokio::io::AsyncWrite for $type $(where $($bounds)*)? {
            fn poll_write(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buf: &[u8],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                ::futures_io::AsyncWrite::poll_write(self, cx, buf)
            }

            fn poll_write_vectored(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                bufs: &[::std::io::IoSlice<'_>],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                ::futures_io::AsyncWrite::poll_write_vectored(self, cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                $is_vectored
            }

            fn poll_flush(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                ::futures_io::AsyncWrite::poll_flush(self, cx)
            }

            fn poll_shutdown(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                ::futures_io::AsyncWrite::poll_close(self, cx)
            }
        }
    };
}
#[cfg(not(feature = "tokio-io"))]
macro_rules! tokio_write {
    ($($ignored:tt)*) => {};
}
pub(crate) use tokio_write;

/// Reads into the unfilled part of `buf`. If a part of it is not initialized, the bytes are read
/// into the buffer that all reads of the thread share: copying the bytes that have come costs less
/// than zeroing all the memory that they might need.
#[cfg(feature = "tokio-io")]
pub(crate) fn poll_read(
    io: Pin<&mut impl futures_io::AsyncRead>,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<Result<()>> {
    if buf.initialized().len() == buf.capacity() {
        let n = ready!(io.poll_read(cx, buf.initialize_unfilled()))?;
        buf.advance(n);
        return Poll::Ready(Ok(()));
    }
    read_buffer::with_buffer(|shared| {
        let len = shared.len().min(buf.remaining());
        let n = ready!(io.poll_read(cx, &mut shared[..len]))?;
        buf.put_slice(&shared[..n]);
        Poll::Ready(Ok(()))
    })
}
