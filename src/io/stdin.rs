//! The standard input of the program.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::AsyncRead;

use super::buffer::Buffer;
use super::find_byte::find_byte;
use super::standard::{FileReader, Standard};
use crate::blocking::{self, Kind, Work};
use crate::io_traits::tokio_read;
use crate::reactor::{Direction, WaiterKey, Waiters};
use crate::wait::WakeList;
use crate::world;

/// The maximum number of bytes of one read.
const CHUNK: usize = 8192;

/// The standard input of the program; created by [`stdin`].
///
/// The loop waits for a pipe or a terminal as for a socket; a file is read on a thread of the
/// blocking pool. So a program can end while it waits for input. The mode of the descriptor is not
/// changed: it stays blocking for other programs that share it.
///
/// All handles of a thread share one read-ahead buffer. The `stdin` of std has a buffer of its own,
/// so a program should use only one of the two.
#[derive(Debug, Default)]
pub struct Stdin {
    /// Opened by the first read.
    standard: Option<Standard>,
    /// The waiter of this handle for the descriptor.
    waiter: WaiterKey,
    /// The waiter of this handle for a read by another handle.
    shared_waiter: WaiterKey,
}

/// The state that the handles of a thread share.
#[derive(Default)]
struct Shared {
    ahead: Cell<ReadAhead>,
    /// The tasks that wait until any handle has read more bytes.
    waiters: Waiters,
}

#[derive(Default)]
struct ReadAhead {
    /// The bytes that were read and not taken.
    bytes: Buffer,
    /// The number of bytes that were taken.
    taken: u64,
    /// The number of reads that returned bytes.
    fills: u64,
    /// A read that runs on a thread of the blocking pool.
    work: Option<Work<io::Result<Vec<u8>>>>,
}

impl ReadAhead {
    /// Calls `take`, which takes the first `n` bytes.
    fn take<T>(&mut self, n: usize, take: impl FnOnce(&mut Buffer, usize) -> T) -> T {
        self.taken += n as u64;
        take(&mut self.bytes, n)
    }
}

thread_local! {
    static SHARED: Shared = Shared::default();
}

/// Returns a handle to standard input.
///
/// ```no_run
/// use std::time::Duration;
/// use evloop::time::timeout;
///
/// evloop::block_on(async {
///     println!("your name?");
///     match timeout(Duration::from_secs(5), evloop::io::stdin().read_line()).await {
///         Ok(line) => println!("hello, {}", String::from_utf8_lossy(&line?).trim()),
///         Err(_) => println!("too late"),
///     }
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub fn stdin() -> Stdin {
    Stdin::default()
}

impl Stdin {
    /// Reads the bytes that are available, at least one. Returns 0 at the end of the input, or if
    /// `buf` is empty.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while !buf.is_empty() && is_empty() && self.fill().await? {}
        Ok(take(buf))
    }

    /// Reads a line with its `\n`. At the end of the input it returns the remaining bytes, or no
    /// bytes if there are none.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "readline")]
    pub async fn read_line(&mut self) -> io::Result<Vec<u8>> {
        let len = self.wait_for_line().await?;
        Ok(with_ahead(|ahead| ahead.take(len, Buffer::take)))
    }

    /// Reads a line with its `\n`, appends it to `line`, and returns its length. At the end of the
    /// input these are the remaining bytes; 0 if there are none. It does the same as
    /// [`read_line`](Stdin::read_line) without an allocation for each line.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost, and nothing is appended.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    ///
    /// ```no_run
    /// evloop::block_on(async {
    ///     let (mut stdin, mut line, mut bytes) = (evloop::io::stdin(), Vec::new(), 0);
    ///     while let n @ 1.. = stdin.read_line_into(&mut line).await? {
    ///         bytes += n;
    ///         line.clear();
    ///     }
    ///     println!("{bytes} bytes");
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub async fn read_line_into(&mut self, line: &mut Vec<u8>) -> io::Result<usize> {
        let len = self.wait_for_line().await?;
        with_ahead(|ahead| {
            ahead.take(len, |bytes, len| {
                line.extend_from_slice(&bytes.content()[..len]);
                bytes.consume(len);
            });
        });
        Ok(len)
    }

    /// Waits until a line has been read ahead or the input has ended. Returns the length of the
    /// line, which the caller must take at once.
    async fn wait_for_line(&mut self) -> io::Result<usize> {
        // No line ends before this position in the input. Other handles may take bytes meanwhile.
        let mut searched = 0;
        loop {
            let found = with_ahead(|ahead| {
                let content = ahead.bytes.content();
                let from = u64::saturating_sub(searched, ahead.taken) as usize;
                searched = ahead.taken + content.len() as u64;
                find_byte(&content[from..], b'\n').map(|found| from + found + 1)
            });
            if let Some(len) = found {
                return Ok(len);
            }
            if !self.fill().await? {
                return Ok(with_ahead(|ahead| ahead.bytes.len()));
            }
        }
    }

    /// Waits until this handle or another one has read more bytes. Returns `false` if the input has
    /// ended.
    async fn fill(&mut self) -> io::Result<bool> {
        let seen = with_ahead(|ahead| ahead.fills);
        let wait = Wait(self);
        poll_fn(|cx| wait.0.poll_fill(cx, seen)).await
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, seen: u64) -> Poll<io::Result<bool>> {
        if with_ahead(|ahead| ahead.fills != seen) {
            return Poll::Ready(Ok(true));
        }
        let Poll::Ready(read) = self.poll_more(cx)? else {
            SHARED.with(|shared| shared.waiters.wait(&mut self.shared_waiter, cx.waker()));
            return Poll::Pending;
        };
        if !read.is_empty() {
            with_ahead(|ahead| {
                ahead.bytes.push(&read);
                ahead.fills += 1;
            });
            let mut woken = Vec::new();
            SHARED.with(|shared| shared.waiters.take_wakers(&mut woken));
            WakeList::from(woken).wake();
        }
        Poll::Ready(Ok(!read.is_empty()))
    }

    /// Reads the bytes that are available.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        world::check_outside("reading from stdin")?;
        if self.standard.is_none() {
            self.standard = Some(Standard::stdin()?);
        }
        let standard = self.standard.as_ref().expect("it was just opened");
        let mut chunk = [0; CHUNK];
        match standard.poll_read(cx, &mut self.waiter, &mut chunk) {
            Ok(polled) => polled.map_ok(|n| chunk[..n].to_vec()),
            Err(file) => poll_work(cx, &file),
        }
    }

    /// Removes the waiters of this handle.
    fn deregister(&mut self) {
        // At the end of the thread, the thread-local may have been destroyed with all its waiters.
        let _ = SHARED.try_with(|shared| shared.waiters.deregister(&mut self.shared_waiter));
        if let Some(standard) = &self.standard {
            standard.deregister(Direction::Read, &mut self.waiter);
        }
    }
}

/// Reads on a thread of the blocking pool. If the future that waits is dropped, the work stays in
/// `ReadAhead`, and the next read returns its bytes.
fn poll_work(cx: &mut Context<'_>, file: &FileReader) -> Poll<io::Result<Vec<u8>>> {
    loop {
        let started = with_ahead(|ahead| ahead.work.take());
        let was_started = started.is_some();
        let mut work = started.unwrap_or_else(|| start(file.clone()));
        match Pin::new(&mut work).poll(cx) {
            // The loop that started this work ended before a thread ran it: start it again.
            Poll::Ready(Err(error)) if was_started && error.is_cancelled() => {}
            Poll::Ready(outcome) => {
                return Poll::Ready(outcome.or_else(|error| error.resume())?);
            }
            Poll::Pending => {
                with_ahead(|ahead| ahead.work = Some(work));
                return Poll::Pending;
            }
        }
    }
}

fn start(file: FileReader) -> Work<io::Result<Vec<u8>>> {
    blocking::start(Kind::File, "reading from stdin", move || {
        let mut bytes = vec![0; CHUNK];
        let n = blocking::uninterrupted(|| file.read(&mut bytes))?;
        bytes.truncate(n);
        Ok(bytes)
    })
}

fn with_ahead<T>(f: impl FnOnce(&mut ReadAhead) -> T) -> T {
    let mut ahead = replace_ahead(ReadAhead::default());
    let result = f(&mut ahead);
    replace_ahead(ahead);
    result
}

fn replace_ahead(ahead: ReadAhead) -> ReadAhead {
    SHARED.with(|shared| shared.ahead.replace(ahead))
}

fn is_empty() -> bool {
    with_ahead(|ahead| ahead.bytes.is_empty())
}

/// Moves bytes that were read ahead into `buf`, and returns their number.
fn take(buf: &mut [u8]) -> usize {
    with_ahead(|ahead| {
        let n = buf.len().min(ahead.bytes.len());
        ahead.take(n, |bytes, n| {
            buf[..n].copy_from_slice(&bytes.content()[..n]);
            bytes.consume(n);
        });
        n
    })
}

/// The guard of a future of [`Stdin`] that waits. Dropping it removes the waiters.
struct Wait<'a>(&'a mut Stdin);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.0.deregister();
    }
}

impl AsyncRead for Stdin {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if !buf.is_empty() && is_empty() {
            let seen = with_ahead(|ahead| ahead.fills);
            ready!(self.poll_fill(cx, seen))?;
            self.deregister();
        }
        Poll::Ready(Ok(take(buf)))
    }
}

tokio_read!([] Stdin);

impl Drop for Stdin {
    fn drop(&mut self) {
        self.deregister();
    }
}
