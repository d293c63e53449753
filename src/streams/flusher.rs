//! What a connection sends, and how it is closed: what can be done at once, and the rest by a task.
//!
//! Each connection that has unsent bytes, or lingers after its close, has a task of its own: so it
//! costs as much to wake the right one of a thousand slow connections as one of two. Invariant:
//! while something is unsent in a loop that runs, a flusher is at work.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{self, Poll, ready};
use std::time::Duration;

use super::buffer::Buffer;
use super::shared_stream::{Ending, SharedStream};
use super::socket::StreamSocket;
use crate::context;
use crate::current::{self, WaitsFor, budget, debug};
use crate::executor::SpawnOptions;
use crate::reactor::{Direction, WaiterKey};
use crate::time::timeout;

/// What a closed connection reads and discards at most: enough for a peer that is in the middle of
/// an upload when the reply reaches it, little enough that a flood ends soon.
const DISCARD_MAX: usize = 16 << 20;
/// A closed connection to which nothing came for this long is closed for good: what the peer sent
/// before it saw the end has arrived by then.
const QUIET: Duration = Duration::from_secs(2);

/// The task that sends the rest, and lingers after a close. Dropped too early, with its loop, it
/// gives up.
struct Flusher(Rc<SharedStream>);

/// Somebody who waits for a change, and leaves when dropped.
struct Waiting<'a> {
    shared: &'a SharedStream,
    waiter: WaiterKey,
}

impl SharedStream {
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
        if self.ending.get() == Ending::Open {
            self.ending.set(Ending::Flushing);
            self.advance();
        }
    }

    /// Closes both directions: sends what is unsent, ends the write direction, and reads and
    /// discards for a while what the peer still sends. To close a socket that holds unread bytes
    /// resets the connection, which may destroy what is on its way to the peer.
    pub(super) fn close(self: &Rc<Self>) {
        if self.is_closed.replace(true) {
            return;
        }
        self.ending.set(self.ending.get().max(Ending::Flushing));
        self.wake_socket();
        self.advance();
    }

    /// Waits until `is_done`, or an error.
    pub(super) async fn wait(
        self: &Rc<Self>,
        is_done: impl Fn(&SharedStream) -> bool,
    ) -> io::Result<()> {
        let mut waiting = Waiting { shared: self, waiter: WaiterKey::default() };
        poll_fn(|cx| self.poll_wait(cx, &mut waiting.waiter, &is_done)).await
    }

    /// The same for a `poll_` method, which waits at `waiter`.
    pub(super) fn poll_wait(
        self: &Rc<Self>,
        cx: &mut task::Context<'_>,
        waiter: &mut WaiterKey,
        is_done: impl Fn(&SharedStream) -> bool,
    ) -> Poll<io::Result<()>> {
        ready!(budget::poll_left(cx));
        if is_done(self) || self.has_failed() {
            budget::spend();
            return Poll::Ready(self.check());
        }
        if !self.unsent.is_empty() {
            self.flush_in_background();
        }
        self.changed.wait(waiter, cx.waker());
        current::pending(WaitsFor::Io)
    }

    /// Sends what the system takes without waiting: nothing, if something is before it.
    fn try_send(&self, send: impl FnOnce(&StreamSocket) -> io::Result<usize>) -> io::Result<usize> {
        if !self.unsent.is_empty() {
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
                self.unsent.push(|unsent| push_from(unsent, n));
                self.flush_in_background();
            }
            Err(error) => self.fail(error),
        }
    }

    /// Goes on towards the end as far as that needs no waiting; a task does the rest.
    fn advance(self: &Rc<Self>) {
        if self.unsent.is_empty() {
            self.finish();
        }
        if !self.unsent.is_empty() || self.is_lingering() {
            self.flush_in_background();
        }
    }

    /// Makes sure that a task sends what is unsent, and lingers. Outside of a loop nobody lingers,
    /// and what is unsent is sent once the writer is used in one.
    fn flush_in_background(self: &Rc<Self>) {
        let Some(home) = self.home.upgrade().or_else(context::current) else {
            if self.is_lingering() {
                self.close_both();
            }
            return;
        };
        if !self.is_flushing.replace(true) {
            let options =
                SpawnOptions { name: Some("stream writer".into()), ..SpawnOptions::here() };
            drop(home.executor.spawn(Flusher(self.clone()).run(), options));
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.leave(&mut self.waiter);
    }
}

impl Flusher {
    async fn run(self) {
        let shared = &self.0;
        match self.flush().await {
            Ok(()) => shared.finish(),
            Err(error) => shared.fail(error),
        }
        if shared.is_lingering() {
            let _ = timeout(shared.linger, self.discard()).await;
            shared.close_both();
        }
    }

    /// Sends what is unsent. Once the connection is closed the peer has to take some of it within
    /// `linger`, each time: nobody else can give the connection up.
    async fn flush(&self) -> io::Result<()> {
        let shared = &self.0;
        while !shared.unsent.is_empty() && !shared.is_closed.get() {
            shared.socket.writable().await?;
            shared.send_unsent()?;
        }
        while !shared.unsent.is_empty() {
            timeout(shared.linger, self.send_some()).await.map_err(|_| peer_is_stuck())??;
        }
        Ok(())
    }

    async fn send_some(&self) -> io::Result<()> {
        loop {
            self.0.socket.writable().await?;
            if self.0.send_unsent()? {
                return Ok(());
            }
        }
    }

    /// Reads and discards until the peer ends, is quiet, or has sent too much.
    async fn discard(&self) {
        let shared = &self.0;
        let mut left = DISCARD_MAX;
        while left > 0 {
            let read = || shared.read_socket(|_| {});
            match timeout(QUIET, shared.socket.source().io(Direction::Read, read)).await {
                Ok(Ok(n)) if n > 0 => left = left.saturating_sub(n),
                _ => return,
            }
        }
    }
}

#[cold]
fn peer_is_stuck() -> io::Error {
    let sentence = "after the writer was closed, the peer took nothing for StreamOptions::linger";
    io::Error::new(io::ErrorKind::TimedOut, sentence)
}

impl Drop for Flusher {
    fn drop(&mut self) {
        let shared = &self.0;
        shared.is_flushing.set(false);
        let unsent = shared.unsent();
        if unsent > 0 {
            if debug::is_on() {
                let peer = &shared.socket;
                debug::say(format_args!(
                    "the loop ended before {unsent} bytes were sent by {peer:?}"
                ));
            }
            let kind = io::ErrorKind::NotConnected;
            shared.fail(io::Error::new(kind, "the event loop ended before everything was sent"));
        }
        if shared.is_lingering() {
            shared.close_both();
        }
    }
}
