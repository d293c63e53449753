//! Finds the lines of a stream, and iterates over them.

use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::reader::StreamReader;
use crate::current::{awaited_at, budget, leaf};
use crate::io::find_byte;
use crate::reactor::WaiterKey;

/// The wait for the next line of a reader, without the line's bytes.
#[derive(Debug)]
struct NextLine<'a> {
    reader: &'a mut StreamReader,
    waiter: WaiterKey,
    /// No line ends before this position of the buffer.
    searched: usize,
}

impl<'a> NextLine<'a> {
    #[inline]
    fn new(reader: &'a mut StreamReader) -> NextLine<'a> {
        NextLine { reader, waiter: WaiterKey::default(), searched: 0 }
    }

    /// Returns the length of the line at the front of the buffer, with its `\n`. At the end of the
    /// stream these are the remaining bytes.
    #[inline]
    #[track_caller]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match self.buffered_line() {
            Some(len) => Poll::Ready(Ok(len)),
            None => self.poll_received(cx),
        }
    }

    /// The fast path of `poll`: the line is in the buffer, and the future was not polled before.
    #[inline]
    fn buffered_line(&self) -> Option<usize> {
        let unit = budget::next_unit().filter(|_| self.searched == 0)?;
        let before = find_byte(self.reader.buffer.content(), b'\n')?;
        if before > self.reader.limit {
            return None;
        }
        unit.spend_part();
        Some(before + 1)
    }

    /// Does the same as `poll`, and receives until there is a line. Out of line: most calls find
    /// the line in the buffer.
    #[inline(never)]
    #[track_caller]
    fn poll_received(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ready!(budget::poll_left(cx));
        loop {
            if self.searched < self.reader.buffer.len() {
                if let Some(len) = self.find_line() {
                    budget::spend_part();
                    self.searched = 0;
                    return Poll::Ready(len);
                }
            }
            let filled = ready!(self.reader.poll_fill(cx, &mut self.waiter));
            if !matches!(filled, Ok(true)) {
                budget::spend_part();
                return Poll::Ready(filled.map(|_| self.reader.buffer.len()));
            }
        }
    }

    /// Returns the length of the line at the front of the buffer, with its `\n`. Returns `None` if
    /// the buffer holds no `\n`, and an error if the line is too long. It moves `searched` on: no
    /// byte is searched twice.
    fn find_line(&mut self) -> Option<io::Result<usize>> {
        let content = self.reader.buffer.content();
        let found = find_byte(&content[self.searched..], b'\n');
        let before = found.map_or(content.len(), |found| self.searched + found);
        if before > self.reader.limit {
            return Some(Err(self.reader.overrun(before)));
        }
        self.searched = before;
        found.map(|_| Ok(before + 1))
    }
}

/// The future of [`StreamReader::read_line_into`].
struct ReadLineInto<'a> {
    next: NextLine<'a>,
    line: &'a mut Vec<u8>,
}

impl Future for ReadLineInto<'_> {
    type Output = io::Result<usize>;

    /// Inlined into the caller's loop: a line in the buffer costs a quarter less so.
    #[inline(always)]
    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let ReadLineInto { next, line } = &mut *self;
        let len = match next.buffered_line() {
            Some(len) => len,
            None => ready!(awaited_at(Location::caller(), next.poll_received(cx)))?,
        };
        line.extend_from_slice(&next.reader.buffer.content()[..len]);
        next.reader.buffer.consume(len);
        Poll::Ready(Ok(len))
    }
}

impl Drop for NextLine<'_> {
    #[inline]
    fn drop(&mut self) {
        self.reader.deregister(&mut self.waiter);
    }
}

/// The lines of a [`StreamReader`]; see [`StreamReader::lines`].
///
/// # Cancel safety
///
/// Dropping it, or the future of [`next`](Lines::next), loses nothing: received bytes that were not
/// returned stay in the reader.
#[derive(Debug)]
#[must_use = "a stream does nothing unless it is polled"]
pub struct Lines<'a> {
    next: NextLine<'a>,
    has_ended: bool,
}

impl<'a> Lines<'a> {
    fn new(reader: &'a mut StreamReader) -> Lines<'a> {
        Lines { next: NextLine::new(reader), has_ended: false }
    }

    /// Returns the next line with its `\n`; `None` at the end of the stream. Only the last line may
    /// lack the `\n`.
    // The same signature as `StreamExt::next`: both can be called in the same way.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> impl Future<Output = Option<io::Result<Vec<u8>>>> + Unpin {
        leaf(|cx| self.poll_line(cx))
    }

    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Vec<u8>>>> {
        if self.has_ended {
            return budget::poll_unit(cx).map(|()| None);
        }
        let len = ready!(self.next.poll(cx));
        let line = len.map(|len| self.next.reader.buffer.take(len));
        // Only the end of the stream leaves a line without its end, or none.
        self.has_ended = !line.as_ref().is_ok_and(|line| line.ends_with(b"\n"));
        Poll::Ready(match line {
            Ok(line) if line.is_empty() => None,
            line => Some(line),
        })
    }
}

impl Stream for Lines<'_> {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_line(cx)
    }
}

impl StreamReader {
    /// Reads a line with its `\n`. At the end of the stream it returns the remaining bytes, or no
    /// bytes if there are none.
    ///
    /// # Errors
    ///
    /// [`LimitOverrun`](super::LimitOverrun) if the line is longer than the limit; its bytes stay
    /// in the reader. The error of the connection.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[doc(alias = "readline")]
    pub fn read_line(&mut self) -> impl Future<Output = io::Result<Vec<u8>>> {
        let mut next = NextLine::new(self);
        leaf(move |cx| {
            let len = ready!(next.poll(cx))?;
            Poll::Ready(Ok(next.reader.buffer.take(len)))
        })
    }

    /// Reads a line with its `\n`, appends it to `line`, and returns its length. At the end of the
    /// stream these are the remaining bytes; 0 if there are none. It does the same as
    /// [`read_line`](StreamReader::read_line) without an allocation for each line.
    ///
    /// # Errors
    ///
    /// As [`read_line`](StreamReader::read_line). Nothing is appended then.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost, and nothing is appended.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let (feeder, mut reader) = evloop::streams::memory_reader();
    ///     feeder.feed_data("one\ntwo");
    ///     drop(feeder);
    ///     let (mut line, mut lengths) = (Vec::new(), Vec::new());
    ///     while let n @ 1.. = reader.read_line_into(&mut line).await? {
    ///         lengths.push(n);
    ///         line.clear();
    ///     }
    ///     assert_eq!(lengths, [4, 3]);
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub fn read_line_into<'a>(
        &'a mut self,
        line: &'a mut Vec<u8>,
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        ReadLineInto { next: NextLine::new(self), line }
    }

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
}
