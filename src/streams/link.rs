//! A connection as its reader, its writer and the task that sends the rest share it.
//!
//! Each writer that has unsent bytes has a task, and only it: so it costs as much to wake the right
//! one of a thousand slow connections as one of two. Invariant: while something is unsent in a
//! loop that runs, a flusher is at work; what comes after an error or the end is not sent.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::rc::{Rc, Weak};
use std::task::{self, Poll, Waker, ready};

use super::buffer::Buffer;
use super::clients::Client;
use super::socket::StreamSocket;
use crate::budget;
use crate::context::{self, Context};
use crate::current::{self, WaitsFor};
use crate::debug;
use crate::info::Birth;
use crate::io_error::again;
use crate::scratch;
use crate::source::{Direction, Done, Readiness, WaiterKey};
use crate::waiters::Waiters;

/// Unsent bytes above which `drain` waits, and down to which it waits; asyncio's defaults.
const HIGH_WATER: usize = 64 * 1024;
const LOW_WATER: usize = 16 * 1024;

/// A connection and what is on its way to it.
pub(super) struct Link {
    pub(super) socket: StreamSocket,
    /// The loop in which the streams were made: it sends the rest, whoever runs.
    home: Weak<Context>,
    unsent: RefCell<Buffer>,
    /// The first error of the connection. What is written after it is dropped.
    error: RefCell<Option<io::Error>>,
    /// A task sends the rest.
    is_flushing: Cell<bool>,
    ending: Cell<Ending>,
    /// The reader gets no more than it has: the whole connection was given up.
    is_cut: Cell<bool>,
    /// More was unsent than the high mark, and has not come down to the low one yet.
    is_paused: Cell<bool>,
    low_water: Cell<usize>,
    high_water: Cell<usize>,
    /// Who waits for a change of the above: all look again.
    changed: Waiters,
    /// Its place in a server, which it leaves when it is closed: after the socket.
    client: Cell<Option<Client>>,
}

/// How far the write direction is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    Open,
    /// It ends once everything is sent.
    Flushing,
    Ended,
}

/// The task that sends the rest. Dropped too early, with its loop, it gives up.
struct Flusher(Rc<Link>);

/// Somebody who waits for a change, and leaves when dropped.
struct Waiting<'a> {
    link: &'a Link,
    place: WaiterKey,
}

impl Link {
    pub(super) fn new(socket: StreamSocket) -> Link {
        Link {
            socket,
            home: context::current().map_or_else(Weak::new, |home| Rc::downgrade(&home)),
            unsent: RefCell::default(),
            error: RefCell::new(None),
            is_flushing: Cell::new(false),
            ending: Cell::new(Ending::Open),
            is_cut: Cell::new(false),
            is_paused: Cell::new(false),
            low_water: Cell::new(LOW_WATER),
            high_water: Cell::new(HIGH_WATER),
            changed: Waiters::default(),
            client: Cell::new(None),
        }
    }

    /// The server that it came from, which counts it until it is closed.
    pub(super) fn belong_to(&self, client: Client) {
        self.client.set(Some(client));
    }

    /// Completes with how many bytes came and are in `buffer` now; none, if the stream has ended.
    pub(super) fn fill<'a>(
        &'a self,
        buffer: &'a mut Buffer,
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.socket.source().io(Direction::Read, || self.receive(buffer))
    }

    /// One read, for the funnel: into room that the whole thread shares, since there is none of the
    /// connection's own while nothing comes.
    pub(super) fn receive(&self, buffer: &mut Buffer) -> io::Result<Done<usize>> {
        if self.is_cut.get() {
            return Ok(Done { value: 0, short: false });
        }
        scratch::lend(|room| {
            let done = self.socket.receive(room)?;
            buffer.push(&room[..done.value]);
            Ok(done)
        })
    }

    /// Sends what the system takes, and leaves the rest to the flusher.
    pub(super) fn write(self: &Rc<Self>, bytes: &[u8]) {
        if self.may_write() {
            let sent = self.try_send(|socket| socket.try_write(bytes));
            self.queue(sent, bytes.len(), |unsent, n| unsent.push(&bytes[n..]));
        }
    }

    /// The same with several pieces, which go out together.
    pub(super) fn write_vectored(self: &Rc<Self>, pieces: &[IoSlice<'_>]) {
        if self.may_write() {
            let sent = self.try_send(|socket| socket.try_write_vectored(pieces));
            let len = pieces.iter().map(|piece| piece.len()).sum();
            self.queue(sent, len, |unsent, mut n| {
                for piece in pieces {
                    unsent.push(&piece[n.min(piece.len())..]);
                    n = n.saturating_sub(piece.len());
                }
            });
        }
    }

    /// Ends the write direction once everything is sent.
    pub(super) fn end(self: &Rc<Self>) {
        if self.is_ending() {
            return;
        }
        self.ending.set(Ending::Flushing);
        if self.unsent.borrow().is_empty() {
            self.finish();
        } else {
            self.flush_in_background();
        }
    }

    /// Closes the connection once everything is sent; the reader gets no more than it has.
    pub(super) fn close(self: &Rc<Self>) {
        self.cut();
        match self.ending.get() {
            Ending::Ended => self.part(),
            _ => self.end(),
        }
    }

    /// Gives the connection up at once: drops what is unsent and what the reader has not got.
    pub(super) fn abort(&self) {
        self.cut();
        self.fail(io::Error::new(io::ErrorKind::ConnectionAborted, "the writer was aborted"));
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending.get() > Ending::Open
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ending.get() == Ending::Ended
    }

    pub(super) fn is_paused(&self) -> bool {
        self.is_paused.get()
    }

    pub(super) fn unsent(&self) -> usize {
        self.unsent.borrow().len()
    }

    pub(super) fn set_marks(&self, low: usize, high: usize) {
        self.low_water.set(low);
        self.high_water.set(high);
        self.mark();
        self.notify();
    }

    /// The first error, as often as it is asked for.
    pub(super) fn check(&self) -> io::Result<()> {
        self.error.borrow().as_ref().map_or(Ok(()), |error| Err(again(error)))
    }

    /// Waits until `is_done`, or an error.
    pub(super) async fn wait(self: &Rc<Self>, is_done: impl Fn(&Link) -> bool) -> io::Result<()> {
        let mut waiting = Waiting { link: self, place: WaiterKey::default() };
        poll_fn(|cx| self.poll_wait(cx, &mut waiting.place, &is_done)).await
    }

    /// The same for a `poll_` method, which waits at `place`.
    pub(super) fn poll_wait(
        self: &Rc<Self>,
        cx: &mut task::Context<'_>,
        place: &mut WaiterKey,
        is_done: impl Fn(&Link) -> bool,
    ) -> Poll<io::Result<()>> {
        ready!(budget::poll_left(cx));
        if is_done(self) || self.error.borrow().is_some() {
            budget::spend();
            return Poll::Ready(self.check());
        }
        if !self.unsent.borrow().is_empty() {
            self.flush_in_background();
        }
        self.changed.wait(place, cx.waker());
        current::pending(WaitsFor::Io)
    }

    /// Gives up a place among those who wait for a change.
    pub(super) fn leave(&self, place: &mut WaiterKey) {
        self.changed.leave(place);
    }

    /// Whether there is sense in writing. To do so after the end is an error, to be told later.
    fn may_write(&self) -> bool {
        if self.error.borrow().is_some() {
            return false;
        }
        if self.is_ending() {
            // What was written before the end is sent all the same.
            let kind = io::ErrorKind::BrokenPipe;
            let error = io::Error::new(kind, "the writer was written to after its end");
            self.error.borrow_mut().get_or_insert(error);
            self.notify();
            return false;
        }
        true
    }

    /// Sends what the system takes without waiting: nothing, if something is before it.
    fn try_send(&self, send: impl FnOnce(&StreamSocket) -> io::Result<usize>) -> io::Result<usize> {
        if !self.unsent.borrow().is_empty() {
            return Ok(0);
        }
        match send(&self.socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            sent => sent,
        }
    }

    /// Queues what was not `sent` of `len` bytes.
    fn queue(
        self: &Rc<Self>,
        sent: io::Result<usize>,
        len: usize,
        push_from: impl FnOnce(&mut Buffer, usize),
    ) {
        match sent {
            Ok(n) if n == len => {}
            Ok(n) => {
                push_from(&mut self.unsent.borrow_mut(), n);
                self.mark();
                self.flush_in_background();
            }
            Err(error) => self.fail(error),
        }
    }

    /// Compares what is unsent with the marks.
    fn mark(&self) {
        let unsent = self.unsent();
        let is_low = unsent <= self.low_water.get();
        self.is_paused.set(unsent > self.high_water.get() || self.is_paused.get() && !is_low);
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

    /// Sends what the system takes of what is unsent.
    fn send_unsent(&self) -> io::Result<()> {
        let mut unsent = self.unsent.borrow_mut();
        match self.socket.try_write(unsent.content()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => unsent.consume(sent?),
        }
        Ok(())
    }

    /// Everything was sent: the peer may read to its end.
    fn finish(&self) {
        self.ending.set(Ending::Ended);
        if let Err(error) = self.socket.shutdown(Shutdown::Write) {
            // The peer may have closed before: everything was sent, and nobody is left to tell.
            if error.kind() != io::ErrorKind::NotConnected {
                return self.fail(error);
            }
        }
        if self.is_cut.get() {
            self.part();
        }
        self.notify();
    }

    /// Notes the first error, and drops what cannot be sent any more.
    fn fail(&self, error: io::Error) {
        self.error.borrow_mut().get_or_insert(error);
        drop(self.unsent.take());
        self.mark();
        self.ending.set(Ending::Ended);
        if self.is_cut.get() {
            self.part();
        }
        self.notify();
    }

    /// Lets the reader find the end, also if it waits.
    fn cut(&self) {
        const ENDED: Readiness = Readiness { read: true, write: false, special: true };
        self.is_cut.set(true);
        let mut woken = VecDeque::new();
        self.socket.source().set_ready(ENDED, &mut woken);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Ends both directions, though the streams may still be held.
    fn part(&self) {
        // It fails only for a connection that is gone already.
        let _ = self.socket.shutdown(Shutdown::Both);
        drop(self.client.take());
    }

    /// Wakes who waits for a change.
    fn notify(&self) {
        let mut woken = VecDeque::new();
        self.changed.take_wakers(&mut woken);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.link.leave(&mut self.place);
    }
}

impl Flusher {
    async fn run(self) {
        let link = &self.0;
        while !link.unsent.borrow().is_empty() {
            match link.socket.writable().await.and_then(|()| link.send_unsent()) {
                Ok(()) => link.mark(),
                Err(error) => link.fail(error),
            }
            link.notify();
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        let link = &self.0;
        link.is_flushing.set(false);
        let unsent = link.unsent();
        if unsent > 0 {
            if debug::is_on() {
                let peer = &link.socket;
                debug::say(format_args!(
                    "the loop ended before {unsent} bytes were sent by {peer:?}"
                ));
            }
            let kind = io::ErrorKind::NotConnected;
            link.fail(io::Error::new(kind, "the event loop ended before everything was sent"));
        } else if link.ending.get() == Ending::Flushing {
            link.finish();
        }
    }
}
