//! Copies from a reader to a writer until the reader ends.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};

use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};

use super::transfer::Transfer;
use crate::current::budget;

/// Copies all bytes of `reader` to `writer`, flushes the writer, and returns the number of bytes.
/// While it waits for the reader, it holds no buffer, and the writer is flushed.
///
/// The writer is not closed. `&mut reader` is a reader too.
///
/// # Errors
///
/// The error of the reader or the writer; kind `WriteZero` if the writer accepts no more bytes.
///
/// # Cancel safety
///
/// Not cancel safe: up to 64 KiB that were read and not written are lost if the future is dropped.
/// See [`copy_buf`].
///
/// ```
/// use evloop::io::{copy, duplex};
/// use futures::{AsyncReadExt, AsyncWriteExt};
///
/// evloop::block_on(async {
///     let (mut one, other) = duplex(64);
///     let copied = evloop::spawn(async move { copy(&b"hello"[..], &mut one).await });
///     let mut text = String::new();
///     (&other).read_to_string(&mut text).await?;
///     assert_eq!(text, "hello");
///     assert_eq!(copied.await.unwrap()?, 5);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub async fn copy<R, W>(mut reader: R, mut writer: W) -> io::Result<u64>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut transfer = Transfer::new(usize::MAX);
    poll_fn(|cx| transfer.poll(cx, &mut reader, &mut writer)).await
}

/// Copies as [`copy`] does, from a buffered reader: a byte is consumed once the writer has accepted
/// it. While it waits for the reader, the writer is flushed.
///
/// # Errors
///
/// As [`copy`].
///
/// # Cancel safety
///
/// No byte is lost: the bytes that were not written stay in the reader. The number of written bytes
/// is lost.
///
/// ```
/// use evloop::io::{copy_buf, duplex};
/// use evloop::time::timeout;
/// use futures::{AsyncReadExt, io::Cursor};
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     let (mut one, mut other) = duplex(4);
///     let mut reader = Cursor::new(b"hello");
///     let moment = Duration::from_millis(1);
///     assert!(timeout(moment, copy_buf(&mut reader, &mut one)).await.is_err(), "it holds 4");
///     let mut four = [0; 4];
///     other.read_exact(&mut four).await?;
///     assert_eq!(copy_buf(&mut reader, &mut one).await?, 1);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub async fn copy_buf<R, W>(mut reader: R, mut writer: W) -> io::Result<u64>
where
    R: AsyncBufRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (mut written, mut is_unflushed) = (0, false);
    poll_fn(|cx| {
        loop {
            ready!(budget::poll_unit(cx));
            let Poll::Ready(bytes) = Pin::new(&mut reader).poll_fill_buf(cx)? else {
                if is_unflushed {
                    ready!(Pin::new(&mut writer).poll_flush(cx))?;
                    is_unflushed = false;
                }
                return Poll::Pending;
            };
            if bytes.is_empty() {
                ready!(Pin::new(&mut writer).poll_flush(cx))?;
                return Ok(written).into();
            }
            let n = ready!(Pin::new(&mut writer).poll_write(cx, bytes))?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into()).into();
            }
            Pin::new(&mut reader).consume(n);
            is_unflushed = true;
            written += n as u64;
        }
    })
    .await
}
