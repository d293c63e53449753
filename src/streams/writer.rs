//! Writing to a stream without waiting, and waiting when that is wise.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::rc::{Rc, Weak};
use std::task::Waker;

use super::again::again;
use super::buffer::Buffer;
use crate::context::{self, Context};
use crate::info::Birth;
use crate::net::TcpStream;
use crate::source::{Direction, Readiness, Source};

/// Unsent bytes above which `drain` waits, and down to which it waits; asyncio's defaults.
const HIGH_WATER: usize = 64 * 1024;
const LOW_WATER: usize = 16 * 1024;

/// The writing end of a connection: asyncio's `StreamWriter`.
///
/// [`write`](StreamWriter::write) takes everything at once and never waits: it sends what the
/// system takes, and the rest goes out in the background. [`drain`](StreamWriter::drain) waits if
/// too much is unsent, and tells of errors; who writes much calls it after each write. Tasks may
/// share a writer.
///
/// Dropping the writer closes it: what is unsent is sent first, in the background. What is unsent
/// when the loop ends is lost. The connection closes when the reader is dropped too.
pub struct StreamWriter {
    shared: Rc<Shared>,
}

/// What the writer shares with the task that sends the rest.
struct Shared {
    stream: Rc<TcpStream>,
    /// The loop in which the writer was made: it sends the rest, whoever runs.
    home: Weak<Context>,
    unsent: RefCell<Buffer>,
    /// The first error of the connection. What is written after it is dropped.
    error: RefCell<Option<io::Error>>,
    /// A task sends the rest.
    is_flushing: Cell<bool>,
    ending: Cell<Ending>,
    low_water: Cell<usize>,
    high_water: Cell<usize>,
    /// Who waits for a change of the above: all look again.
    changed: Source,
}

/// The task that sends the rest. Dropped too early, with its loop, it gives up.
struct Flusher(Rc<Shared>);

/// How far the write direction is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    Open,
    /// It ends once everything is sent.
    Flushing,
    Ended,
}

impl StreamWriter {
    pub(super) fn new(stream: Rc<TcpStream>) -> StreamWriter {
        StreamWriter {
            shared: Rc::new(Shared {
                stream,
                home: context::current().map_or_else(Weak::new, |home| Rc::downgrade(&home)),
                unsent: RefCell::default(),
                error: RefCell::new(None),
                is_flushing: Cell::new(false),
                ending: Cell::new(Ending::Open),
                low_water: Cell::new(LOW_WATER),
                high_water: Cell::new(HIGH_WATER),
                changed: Source::new(false),
            }),
        }
    }

    /// Writes all of `bytes`: sends what the system takes now, and the rest in the background.
    ///
    /// An error of the connection, or of writing after the end, is told by the next
    /// [`drain`](StreamWriter::drain) or [`wait_closed`](StreamWriter::wait_closed).
    pub fn write(&self, bytes: &[u8]) {
        self.shared.write(bytes);
    }

    /// Writes several pieces, as [`write`](StreamWriter::write) does.
    #[doc(alias = "writelines")]
    pub fn write_vectored(&self, pieces: &[io::IoSlice<'_>]) {
        for piece in pieces {
            self.shared.write(piece);
        }
    }

    /// Waits, if more is unsent than the high-water mark, until it is no more than the low one.
    ///
    /// # Errors
    ///
    /// The first error of the connection, each time.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn drain(&self) -> io::Result<()> {
        let shared = &self.shared;
        if shared.unsent.borrow().len() > shared.high_water.get() {
            let low = shared.low_water.get();
            shared.wait(|shared| shared.unsent.borrow().len() <= low).await?;
        }
        shared.check()
    }

    /// Ends the write direction once everything is sent: the peer reads to its end. Reading goes
    /// on.
    #[doc(alias = "write_eof")]
    pub fn shutdown_write(&self) {
        self.shared.end();
    }

    /// Closes the writer once everything is sent. The connection closes when the reader is dropped
    /// too.
    pub fn close(&self) {
        self.shared.end();
    }

    /// Waits until everything is sent and the write direction has ended.
    ///
    /// # Errors
    ///
    /// The first error of the connection.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn wait_closed(&self) -> io::Result<()> {
        self.shared.wait(|shared| shared.ending.get() == Ending::Ended).await?;
        self.shared.check()
    }

    /// Whether the writer was closed, or its write direction ended.
    pub fn is_closing(&self) -> bool {
        self.shared.ending.get() > Ending::Open
    }

    /// Gives the connection up at once: what is unsent is dropped, and the reader's stream ends.
    pub fn abort(&self) {
        self.shared
            .fail(io::Error::new(io::ErrorKind::ConnectionAborted, "the writer was aborted"));
        // It fails only for a connection that is gone already.
        let _ = self.shared.stream.shutdown(Shutdown::Both);
    }

    /// Sets the marks by which [`drain`](StreamWriter::drain) goes, in bytes. Default: 16 and
    /// 64 KiB.
    ///
    /// # Panics
    ///
    /// If `low` is above `high`.
    pub fn set_write_buffer_limits(&self, low: usize, high: usize) {
        assert!(low <= high, "the low-water mark {low} must not be above the high one, {high}");
        self.shared.low_water.set(low);
        self.shared.high_water.set(high);
    }

    /// How many bytes are unsent.
    pub fn write_buffer_size(&self) -> usize {
        self.shared.unsent.borrow().len()
    }

    /// The other end's address.
    #[doc(alias = "get_extra_info")]
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.shared.stream.peer_addr()
    }

    /// This end's address.
    #[doc(alias = "get_extra_info")]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.stream.local_addr()
    }

    /// The connection. Who writes to it writes ahead of what is unsent.
    pub fn get_ref(&self) -> &TcpStream {
        &self.shared.stream
    }
}

impl Shared {
    fn write(self: &Rc<Self>, bytes: &[u8]) {
        if self.error.borrow().is_some() {
            return;
        }
        if self.ending.get() > Ending::Open {
            // What was written before the end is sent all the same.
            let kind = io::ErrorKind::BrokenPipe;
            let error = io::Error::new(kind, "the writer was written to after its end");
            self.error.borrow_mut().get_or_insert(error);
            return self.notify();
        }
        let sent = if self.unsent.borrow().is_empty() { self.try_write(bytes) } else { Ok(0) };
        match sent {
            Ok(n) if n == bytes.len() => {}
            Ok(n) => {
                self.unsent.borrow_mut().push(&bytes[n..]);
                self.flush_in_background();
            }
            Err(error) => self.fail(error),
        }
    }

    /// Sends what the system takes without waiting.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.stream.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                sent => return sent,
            }
        }
    }

    /// Sees to it that a task sends what is unsent. Outside of a loop: once the writer is used in
    /// one.
    fn flush_in_background(self: &Rc<Self>) {
        let Some(home) = self.home.upgrade().or_else(context::current) else { return };
        if !self.is_flushing.replace(true) {
            let birth = Birth { name: Some("stream writer".into()), ..Birth::here() };
            drop(home.executor.spawn(Flusher(self.clone()).run(), birth));
        }
    }

    fn send_unsent(&self) -> io::Result<()> {
        let mut unsent = self.unsent.borrow_mut();
        let sent = self.try_write(unsent.content())?;
        unsent.consume(sent);
        Ok(())
    }

    /// Ends the write direction, now or once everything is sent.
    fn end(self: &Rc<Self>) {
        if self.ending.get() > Ending::Open {
            return;
        }
        self.ending.set(Ending::Flushing);
        if self.unsent.borrow().is_empty() {
            self.finish();
        } else {
            self.flush_in_background();
        }
    }

    fn finish(&self) {
        self.ending.set(Ending::Ended);
        if let Err(error) = self.stream.shutdown(Shutdown::Write) {
            // The peer may have closed before: everything was sent, and nobody is left to tell.
            if error.kind() != io::ErrorKind::NotConnected {
                return self.fail(error);
            }
        }
        self.notify();
    }

    /// Notes the first error, and drops what cannot be sent any more.
    fn fail(&self, error: io::Error) {
        self.error.borrow_mut().get_or_insert(error);
        let dropped = self.unsent.take();
        drop(dropped);
        self.ending.set(Ending::Ended);
        self.notify();
    }

    /// The first error, as often as it is asked for.
    fn check(&self) -> io::Result<()> {
        self.error.borrow().as_ref().map_or(Ok(()), |error| Err(again(error)))
    }

    /// Waits until `is_done`, or an error.
    async fn wait(self: &Rc<Self>, is_done: impl Fn(&Shared) -> bool) -> io::Result<()> {
        if !self.unsent.borrow().is_empty() {
            self.flush_in_background();
        }
        let is_over = || is_done(self) || self.error.borrow().is_some();
        self.changed.until(Direction::Write, is_over).await
    }

    /// Wakes who waits for a change.
    fn notify(&self) {
        const CHANGED: Readiness = Readiness { read: false, write: true, special: false };
        let mut woken = VecDeque::new();
        self.changed.set_ready(CHANGED, &mut woken);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Flusher {
    async fn run(self) {
        let shared = &self.0;
        while !shared.unsent.borrow().is_empty() {
            match shared.stream.writable().await.and_then(|()| shared.send_unsent()) {
                Ok(()) => shared.notify(),
                Err(error) => shared.fail(error),
            }
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        let shared = &self.0;
        shared.is_flushing.set(false);
        if !shared.unsent.borrow().is_empty() {
            let kind = io::ErrorKind::NotConnected;
            shared.fail(io::Error::new(kind, "the event loop ended before everything was sent"));
        } else if shared.ending.get() == Ending::Flushing {
            shared.finish();
        }
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWriter")
            .field("stream", &self.shared.stream)
            .field("unsent", &self.write_buffer_size())
            .finish_non_exhaustive()
    }
}
