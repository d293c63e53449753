//! The traits of futures-io for values, by those of references.

use std::io::{IoSlice, IoSliceMut, Result};
#[cfg(unix)]
use std::io::{Read, Write};
#[cfg(unix)]
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

#[cfg(unix)]
use crate::io::AsyncFd;
use crate::io::{DuplexStream, SimplexReader, SimplexWriter};
#[cfg(unix)]
use crate::net::pipe::{Receiver, Sender};
use crate::net::{Connection, OwnedReadHalf, OwnedWriteHalf, Transport};

/// Implements `AsyncRead` for a type by that of a reference, to which the function converts.
macro_rules! read {
    ([$($generics:tt)*] $type:ty, &$target:ty, $convert:expr $(, where $($bounds:tt)*)?) => {
        impl<$($generics)*> AsyncRead for $type $(where $($bounds)*)? {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<Result<usize>> {
                let convert: fn(&Self) -> &$target = $convert;
                Pin::new(&mut convert(&*self)).poll_read(cx, buf)
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<Result<usize>> {
                let convert: fn(&Self) -> &$target = $convert;
                Pin::new(&mut convert(&*self)).poll_read_vectored(cx, bufs)
            }
        }
    };
}

/// Does the same with `AsyncWrite`.
macro_rules! write {
    ([$($generics:tt)*] $type:ty, &$target:ty, $convert:expr $(, where $($bounds:tt)*)?) => {
        impl<$($generics)*> AsyncWrite for $type $(where $($bounds)*)? {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<Result<usize>> {
                let convert: fn(&Self) -> &$target = $convert;
                Pin::new(&mut convert(&*self)).poll_write(cx, buf)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<Result<usize>> {
                let convert: fn(&Self) -> &$target = $convert;
                Pin::new(&mut convert(&*self)).poll_write_vectored(cx, bufs)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
                let convert: fn(&Self) -> &$target = $convert;
                Pin::new(&mut convert(&*self)).poll_flush(cx)
            }

            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
                let convert: fn(&Self) -> &$target = $convert;
                Pin::new(&mut convert(&*self)).poll_close(cx)
            }
        }
    };
}

read!([] SimplexReader, &SimplexReader, |it| it);
write!([] SimplexWriter, &SimplexWriter, |it| it);
read!([] DuplexStream, &DuplexStream, |it| it);
write!([] DuplexStream, &DuplexStream, |it| it);
read!([T: Transport] Connection<T>, &Connection<T>, |it| it);
write!([T: Transport] Connection<T>, &Connection<T>, |it| it);
read!([T: Transport] OwnedReadHalf<T>, &Connection<T>, AsRef::as_ref);
write!([T: Transport] OwnedWriteHalf<T>, &Connection<T>, AsRef::as_ref);
#[cfg(unix)]
read!([] Receiver, &Receiver, |it| it);
#[cfg(unix)]
write!([] Sender, &Sender, |it| it);
#[cfg(unix)]
read!([T: AsFd] AsyncFd<T>, &AsyncFd<T>, |it| it, where for<'a> &'a T: Read);
#[cfg(unix)]
write!([T: AsFd] AsyncFd<T>, &AsyncFd<T>, |it| it, where for<'a> &'a T: Write);
