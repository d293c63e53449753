//! Finds the lines of a stream, and iterates over them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::reader::StreamReader;
use crate::current::{budget, leaf};
use crate::io::find_byte;
use crate::reactor::WaiterKey;

/// The lines of a [`StreamReader`]; see [`StreamReader::lines`].
///
/// # Cancel safety
///
/// Dropping it, or the future of [`next`](Lines::next), loses nothing: received bytes that were not
/// returned stay in the reader.
#[derive(Debug)]
#[must_use = "a stream does nothing unless it is polled"]
pub struct Lines<'a> {
    reader: &'a mut StreamReader,
    waiter: WaiterKey,
    /// No line ends before this position of the buffer.
    searched: usize,
    has_ended: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(reader: &'a mut StreamReader) -> Lines<'a> {
        Lines { reader, waiter: WaiterKey::default(), searched: 0, has_ended: false }
    }

    /// Returns the next line with its `\n`; `None` at the end of the stream. Only the last line may
    /// lack the `\n`.
    // The same signature as `StreamExt::next`: both can be called in the same way.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> impl Future<Output = Option<io::Result<Vec<u8>>>> + Unpin {
        leaf(|cx| self.poll_line(cx))
    }

    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Vec<u8>>>> {
        ready!(budget::poll_left(cx));
        while !self.has_ended {
            if let Some(len) = self.reader.find_line(&mut self.searched) {
                budget::spend();
                self.searched = 0;
                self.has_ended = len.is_err();
                return Poll::Ready(Some(len.map(|len| self.reader.buffer.take(len))));
            }
            let filled = ready!(self.reader.poll_fill(cx, &mut self.waiter));
            if !matches!(filled, Ok(true)) {
                budget::spend();
            }
            match filled {
                Ok(true) => {}
                Ok(false) => {
                    self.has_ended = true;
                    let last = self.reader.buffer.take_all();
                    return Poll::Ready((!last.is_empty()).then_some(Ok(last)));
                }
                Err(error) => {
                    self.has_ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        budget::spend();
        Poll::Ready(None)
    }
}

impl Stream for Lines<'_> {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_line(cx)
    }
}

impl Drop for Lines<'_> {
    fn drop(&mut self) {
        self.reader.deregister(&mut self.waiter);
    }
}

impl StreamReader {
    /// Returns the lines, each with its `\n`, as a `Stream` that ends at the end of the connection
    /// or after the first error.
    ///
    /// ```
    /// use evloop::net::TcpListener;
    ///
    /// evloop::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let (mut reader, _writer) = evloop::open_connection(listener.local_addr()?).await?;
    ///     listener.accept().await?.0.write_all(b"one\ntwo").await?;
    ///     let mut lines = reader.lines();
    ///     assert_eq!(lines.next().await.unwrap()?, b"one\n");
    ///     assert_eq!(lines.next().await.unwrap()?, b"two");
    ///     assert!(lines.next().await.is_none());
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    #[doc(alias = "__aiter__")]
    #[doc(alias = "LinesCodec")]
    pub fn lines(&mut self) -> Lines<'_> {
        Lines::new(self)
    }

    /// Returns the length of the line at the front of the buffer, with its `\n`. Returns `None` if
    /// the buffer holds no `\n`, or if the line is too long. Most calls need nothing else.
    #[inline]
    pub(super) fn buffered_line(&self) -> Option<usize> {
        find_byte(self.buffer.content(), b'\n').filter(|len| *len <= self.limit).map(|len| len + 1)
    }

    /// Waits until the buffer has a line, or until the stream has ended. Returns the length of the
    /// line.
    pub(super) async fn wait_for_line(&mut self) -> io::Result<usize> {
        let mut searched = 0;
        loop {
            if let Some(len) = self.find_line(&mut searched) {
                return len;
            }
            if !self.fill(1).await? {
                return Ok(self.buffer.len());
            }
        }
    }
}
