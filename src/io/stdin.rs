//! What is typed, or piped in.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::AsyncRead;

use super::standard::{FileReader, Standard};
use crate::blocking::{self, Kind, Work};
use crate::reactor::{Direction, WaiterKey, Waiters};
use crate::wait::WakeList;

/// Bytes that are read at once.
const CHUNK: usize = 8192;

/// The program's standard input; made by [`stdin`].
///
/// For a pipe or a terminal the loop waits as it does for a socket; a file is read on a helper
/// thread. So a program that waits for its input can end. The descriptor is not changed: other
/// programs that share it find it blocking as before.
///
/// It reads ahead, for all handles of a thread; std's own `stdin` reads ahead for itself, so a
/// program uses one or the other.
#[derive(Debug, Default)]
pub struct Stdin {
    /// Opened by the first read.
    standard: Option<Standard>,
    /// Its place among who waits for the descriptor.
    waiter: WaiterKey,
    /// Its place among who waits for another handle to read ahead.
    shared_place: WaiterKey,
}

/// What the handles of a thread share.
#[derive(Default)]
struct Shared {
    ahead: RefCell<Ahead>,
    /// Who waits for more to be read ahead, whoever reads it.
    waiters: Waiters,
}

#[derive(Default)]
struct Ahead {
    /// What was read and not taken.
    bytes: Vec<u8>,
    /// How often something was read.
    fills: u64,
    /// A helper thread reads more.
    work: Option<Work<io::Result<Vec<u8>>>>,
}

thread_local! {
    static SHARED: Shared = Shared::default();
}

/// A handle to standard input.
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
#[doc(alias = "connect_read_pipe")]
pub fn stdin() -> Stdin {
    Stdin::default()
}

impl Stdin {
    /// Reads what is there, at least a byte; 0 bytes mean the end, or that `buf` is empty.
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

    /// Reads a line with its `\n`. At the end of the input: what is left, which may be nothing.
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
        // How far there is no end of a line, if nobody else has taken any.
        let mut searched = 0;
        loop {
            let line = with_ahead(|ahead| {
                searched = searched.min(ahead.bytes.len());
                let end = ahead.bytes[searched..].iter().position(|byte| *byte == b'\n');
                let line = end.map(|end| ahead.bytes.drain(..=searched + end).collect::<Vec<_>>());
                searched = ahead.bytes.len();
                line
            });
            if let Some(line) = line {
                return Ok(line);
            }
            if !self.fill().await? {
                return Ok(with_ahead(|ahead| std::mem::take(&mut ahead.bytes)));
            }
        }
    }

    /// Waits until something was read ahead, by this handle or another. `false`: the input has
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
            SHARED.with(|shared| shared.waiters.wait(&mut self.shared_place, cx.waker()));
            return Poll::Pending;
        };
        if !read.is_empty() {
            with_ahead(|ahead| {
                ahead.bytes.extend_from_slice(&read);
                ahead.fills += 1;
            });
            let mut woken = VecDeque::new();
            SHARED.with(|shared| shared.waiters.take_wakers(&mut woken));
            WakeList::from(woken).wake();
        }
        Poll::Ready(Ok(!read.is_empty()))
    }

    /// Reads what is there.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
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

    /// Waits no more.
    fn leave(&mut self) {
        // At the thread's end they may have gone before, with all who wait.
        let _ = SHARED.try_with(|shared| shared.waiters.leave(&mut self.shared_place));
        if let Some(standard) = &self.standard {
            standard.leave(Direction::Read, &mut self.waiter);
        }
    }
}

/// What a helper thread reads. It is kept if nobody waits for it any more.
fn poll_work(cx: &mut Context<'_>, file: &FileReader) -> Poll<io::Result<Vec<u8>>> {
    loop {
        let begun = with_ahead(|ahead| ahead.work.take());
        let was_begun = begun.is_some();
        let mut work = begun.unwrap_or_else(|| begin(file.clone()));
        match Pin::new(&mut work).poll(cx) {
            // The loop in which it was begun ended before a thread came to it.
            Poll::Ready(Err(error)) if was_begun && error.is_cancelled() => {}
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

fn begin(file: FileReader) -> Work<io::Result<Vec<u8>>> {
    blocking::start(Kind::File, "reading from stdin", move || {
        let mut bytes = vec![0; CHUNK];
        let n = blocking::uninterrupted(|| file.read(&mut bytes))?;
        bytes.truncate(n);
        Ok(bytes)
    })
}

fn with_ahead<T>(f: impl FnOnce(&mut Ahead) -> T) -> T {
    SHARED.with(|shared| f(&mut shared.ahead.borrow_mut()))
}

fn is_empty() -> bool {
    with_ahead(|ahead| ahead.bytes.is_empty())
}

/// Takes as much of what was read as fits.
fn take(buf: &mut [u8]) -> usize {
    with_ahead(|ahead| {
        let n = buf.len().min(ahead.bytes.len());
        buf[..n].copy_from_slice(&ahead.bytes[..n]);
        ahead.bytes.drain(..n);
        n
    })
}

/// A future of [`Stdin`]'s that waits. Dropped, it leaves no waiter behind.
struct Wait<'a>(&'a mut Stdin);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.0.leave();
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
            self.leave();
        }
        Poll::Ready(Ok(take(buf)))
    }
}

impl Drop for Stdin {
    fn drop(&mut self) {
        self.leave();
    }
}
