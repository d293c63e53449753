//! Copies between two connections, in both directions at once.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use super::transfer::Transfer;

/// The state of one direction.
enum TransferState {
    Copying(Transfer),
    /// All bytes were written, so many, and the writer is being closed.
    Closing(u64),
    Done(u64),
}

/// Copies all bytes of `a` to `b`, and all bytes of `b` to `a`, until both have ended. When one
/// ends, the write direction of the other is closed, and the opposite direction continues. Returns
/// the number of bytes from `a` to `b`, and the number from `b` to `a`.
///
/// `&mut a` is a connection too, and so is `&stream` of a `TcpStream`.
///
/// # Errors
///
/// The first error of either direction; both directions stop then.
///
/// # Cancel safety
///
/// Not cancel safe: in each direction, up to 64 KiB that were read and not written are lost if the
/// future is dropped.
///
/// ```
/// use evloop::io::{copy_bidirectional, duplex};
/// use futures::{AsyncReadExt, AsyncWriteExt};
///
/// evloop::block_on(async {
///     let ((mut client, a), (b, mut server)) = (duplex(64), duplex(64));
///     let copied = evloop::spawn(copy_bidirectional(a, b));
///     client.write_all(b"question").await?;
///     client.close().await?;
///     let mut text = String::new();
///     server.read_to_string(&mut text).await?;
///     server.write_all(text.replace("question", "answer").as_bytes()).await?;
///     server.close().await?;
///     text.clear();
///     client.read_to_string(&mut text).await?;
///     assert_eq!(text, "answer");
///     assert_eq!(copied.await.unwrap()?, (8, 6));
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub async fn copy_bidirectional<A, B>(a: A, b: B) -> io::Result<(u64, u64)>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    copy_both(a, b, [usize::MAX; 2]).await
}

/// Copies as [`copy_bidirectional`] does, with the maximum numbers of bytes that are read at once:
/// from `a`, and from `b`. So many bytes are buffered in a direction at most. Above 64 KiB, a
/// maximum has no effect.
///
/// # Errors
///
/// As [`copy_bidirectional`].
///
/// # Panics
///
/// If a maximum is 0.
///
/// # Cancel safety
///
/// Not cancel safe: in each direction, up to that number of bytes that were read and not written
/// are lost if the future is dropped.
///
/// ```
/// use evloop::io::{copy_bidirectional_with_sizes, duplex};
/// use futures::{AsyncReadExt, AsyncWriteExt};
///
/// evloop::block_on(async {
///     let ((mut client, a), (b, mut server)) = (duplex(64), duplex(64));
///     let copied = evloop::spawn(copy_bidirectional_with_sizes(a, b, 2, 4));
///     client.write_all(b"hello").await?;
///     client.close().await?;
///     let mut text = String::new();
///     server.read_to_string(&mut text).await?;
///     server.close().await?;
///     assert_eq!(copied.await.unwrap()?, (5, 0));
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn copy_bidirectional_with_sizes<A, B>(
    a: A,
    b: B,
    a_to_b: usize,
    b_to_a: usize,
) -> impl Future<Output = io::Result<(u64, u64)>>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    assert!(a_to_b > 0 && b_to_a > 0, "the size of a buffer is 0: it must be at least 1 byte");
    copy_both(a, b, [a_to_b, b_to_a])
}

async fn copy_both<A, B>(mut a: A, mut b: B, sizes: [usize; 2]) -> io::Result<(u64, u64)>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let start = |size| TransferState::Copying(Transfer::new(size));
    let [mut a_to_b, mut b_to_a] = sizes.map(start);
    poll_fn(|cx| {
        // Both are polled before either is awaited, so that both make progress.
        let a_to_b = a_to_b.poll(cx, &mut a, &mut b)?;
        let b_to_a = b_to_a.poll(cx, &mut b, &mut a)?;
        let (a_to_b, b_to_a) = (ready!(a_to_b), ready!(b_to_a));
        Poll::Ready(Ok((a_to_b, b_to_a)))
    })
    .await
}

impl TransferState {
    /// Completes once all bytes are written and the writer is closed. May be polled after that.
    fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            *self = match self {
                TransferState::Copying(transfer) => {
                    TransferState::Closing(ready!(transfer.poll(cx, reader, writer))?)
                }
                TransferState::Closing(written) => {
                    match ready!(Pin::new(&mut *writer).poll_close(cx)) {
                        // The peer may have closed the connection already: all was written.
                        Err(error) if error.kind() != io::ErrorKind::NotConnected => {
                            return Poll::Ready(Err(error));
                        }
                        _ => TransferState::Done(*written),
                    }
                }
                TransferState::Done(written) => return Poll::Ready(Ok(*written)),
            }
        }
    }
}
