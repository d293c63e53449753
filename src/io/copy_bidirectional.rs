//! Between two connections, both ways at once.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use super::transfer::Transfer;

/// One of the two ways.
enum Way {
    Going(Transfer),
    /// All was written, so many bytes, and the writer is being closed.
    Closing(u64),
    Done(u64),
}

/// Copies all that `a` gives to `b`, and all that `b` gives to `a`, until both have ended. When one
/// ends, the other's write direction is closed, and its own goes on. Returns how many bytes went
/// from `a` to `b`, and how many from `b` to `a`.
///
/// `&mut a` is a connection too, and so is `&stream` of a `TcpStream`.
///
/// # Errors
///
/// The first error of either; then both ways have stopped.
///
/// # Cancel safety
///
/// Not cancel safe: of each way, up to 64 KiB that were read and not written are lost if the
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
pub async fn copy_bidirectional<A, B>(mut a: A, mut b: B) -> io::Result<(u64, u64)>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let [mut there, mut back] = [(); 2].map(|()| Way::Going(Transfer::default()));
    poll_fn(|cx| {
        let there = there.poll(cx, &mut a, &mut b)?;
        let back = back.poll(cx, &mut b, &mut a)?;
        let (there, back) = (ready!(there), ready!(back));
        Poll::Ready(Ok((there, back)))
    })
    .await
}

impl Way {
    /// Completes, each time, once all is written and the writer is closed.
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
                Way::Going(transfer) => Way::Closing(ready!(transfer.poll(cx, reader, writer))?),
                Way::Closing(written) => match ready!(Pin::new(&mut *writer).poll_close(cx)) {
                    // It may have gone before: all was written, and nobody is left to tell.
                    Err(error) if error.kind() != io::ErrorKind::NotConnected => {
                        return Poll::Ready(Err(error));
                    }
                    _ => Way::Done(*written),
                },
                Way::Done(written) => return Poll::Ready(Ok(*written)),
            }
        }
    }
}
