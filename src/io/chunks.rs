//! The bytes of a reader as a `Stream` of chunks.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_io::AsyncRead;

use crate::current::{budget, leaf, read_buffer};

/// The chunks of a reader; see [`chunks`].
#[derive(Debug)]
#[must_use = "a stream does nothing unless it is polled"]
pub struct Chunks<R> {
    reader: R,
    has_ended: bool,
}

/// Returns the bytes of `reader` as a `Stream` of chunks: each has the bytes that are available, at
/// most 64 KiB. It ends at the end of the reader or after the first error. For a `StreamReader`,
/// use its [`into_async_read`](crate::streams::StreamReader::into_async_read).
///
/// # Cancel safety
///
/// Dropping the future of [`next`](Chunks::next) loses nothing.
///
#[cfg_attr(feature = "streams", doc = "```")]
#[cfg_attr(not(feature = "streams"), doc = "```ignore")]
/// evloop::block_on(async {
///     let (feeder, reader) = evloop::streams::memory_reader();
///     let mut chunks = evloop::io::chunks(reader.into_async_read());
///     feeder.feed_data("one");
///     assert_eq!(chunks.next().await.unwrap()?, b"one");
///     feeder.feed_data("two");
///     drop(feeder);
///     assert_eq!(chunks.next().await.unwrap()?, b"two");
///     assert!(chunks.next().await.is_none());
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub fn chunks<R: AsyncRead + Unpin>(reader: R) -> Chunks<R> {
    Chunks { reader, has_ended: false }
}

impl<R: AsyncRead + Unpin> Chunks<R> {
    /// Returns the next chunk; `None` at the end of the reader.
    // The same signature as `StreamExt::next`: both can be called in the same way.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> impl Future<Output = Option<io::Result<Vec<u8>>>> + Unpin {
        leaf(|cx| self.poll_chunk(cx))
    }

    /// Returns the reader.
    pub fn into_inner(self) -> R {
        self.reader
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Vec<u8>>>> {
        // A reader that is always ready may spend no budget itself.
        ready!(budget::poll_left(cx));
        if !self.has_ended {
            let read = read_buffer::with_buffer(|buffer| {
                let n = ready!(Pin::new(&mut self.reader).poll_read(cx, buffer))?;
                Poll::Ready(Ok(buffer[..n].to_vec()))
            });
            let read = ready!(read);
            budget::spend();
            self.has_ended = !read.as_ref().is_ok_and(|chunk: &Vec<u8>| !chunk.is_empty());
            if !self.has_ended || read.is_err() {
                return Poll::Ready(Some(read));
            }
        }
        budget::spend();
        Poll::Ready(None)
    }
}

impl<R: AsyncRead + Unpin> Stream for Chunks<R> {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_chunk(cx)
    }
}
