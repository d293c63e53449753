//! Sends the unsent bytes of a connection in a task, and closes it.
//!
//! Each connection that has unsent bytes, or lingers after its close, has a task of its own. So the
//! cost of waking one connection does not depend on how many slow connections there are. Invariant:
//! while a connection of a running loop has unsent bytes, its flusher runs.

use std::future::Future;
use std::io;
use std::rc::Rc;
use std::task::{self, Poll, ready};
use std::time::Duration;

use super::shared_stream::{Ending, SharedStream};
use crate::context;
use crate::current::{self, WaitsFor, budget, debug, leaf};
use crate::executor::SpawnOptions;
use crate::reactor::{Direction, WaiterKey};
use crate::time::timeout;

/// How many bytes a closed connection reads and discards at most. It is enough for a peer that is
/// in the middle of an upload when the reply arrives, and it bounds a flood.
const DISCARD_MAX: usize = 16 << 20;
/// A closed connection that has received nothing for this long is closed in both directions: the
/// bytes that the peer sent before it saw the end have arrived by then.
const QUIET: Duration = Duration::from_secs(2);

/// The task that sends the unsent bytes, and lingers after a close. If its loop ends before, its
/// destructor fails the connection.
struct Flusher(Rc<SharedStream>);

/// A waiter for a change of the stream. Dropping it removes the waiter.
struct Waiting<'a> {
    shared: &'a Rc<SharedStream>,
    waiter: WaiterKey,
}

impl SharedStream {
    /// Ends the write direction once everything is sent.
    pub(super) fn end(self: &Rc<Self>) {
        if self.ending.get() == Ending::Open {
            self.ending.set(Ending::Flushing);
            self.advance();
        }
    }

    /// Closes both directions: sends the unsent bytes, ends the write direction, then reads and
    /// discards for a limited time what the peer still sends. Closing a socket that holds unread
    /// bytes resets the connection, which may destroy bytes that the peer has not received yet.
    pub(super) fn close(self: &Rc<Self>) {
        if self.is_closed.replace(true) {
            return;
        }
        self.ending.set(self.ending.get().max(Ending::Flushing));
        self.wake_socket();
        self.advance();
    }

    /// Waits until `is_done` returns true, or until the connection has failed.
    pub(super) fn wait(
        self: &Rc<Self>,
        is_done: impl Fn(&SharedStream) -> bool,
    ) -> impl Future<Output = io::Result<()>> {
        let mut waiting = Waiting { shared: self, waiter: WaiterKey::default() };
        leaf(move |cx| waiting.shared.poll_wait(cx, &mut waiting.waiter, &is_done))
    }

    /// Does the same as a `poll_` method, whose registration is `waiter`.
    #[inline]
    pub(super) fn poll_wait(
        self: &Rc<Self>,
        cx: &mut task::Context<'_>,
        waiter: &mut WaiterKey,
        is_done: impl Fn(&SharedStream) -> bool,
    ) -> Poll<io::Result<()>> {
        // Before its end the writer has no error.
        match budget::next_unit().filter(|_| !self.is_ending() && is_done(self)) {
            Some(unit) => {
                unit.spend_part();
                Poll::Ready(Ok(()))
            }
            None => self.poll_flushed(cx, waiter, is_done),
        }
    }

    /// Does the same, and flushes if it has to wait.
    #[inline(never)]
    fn poll_flushed(
        self: &Rc<Self>,
        cx: &mut task::Context<'_>,
        waiter: &mut WaiterKey,
        is_done: impl Fn(&SharedStream) -> bool,
    ) -> Poll<io::Result<()>> {
        ready!(budget::poll_left(cx));
        if !is_done(self) {
            self.flush();
        }
        if is_done(self) || self.has_failed() {
            budget::spend();
            return Poll::Ready(self.check());
        }
        self.changed.wait(waiter, cx.waker());
        current::pending(WaitsFor::Io)
    }

    /// Takes the steps of closing that need no waiting; the flusher does the rest.
    fn advance(self: &Rc<Self>) {
        self.send_now();
        if self.has_sent() {
            self.finish();
        }
        if self.is_sending() || self.is_lingering() {
            self.flush_in_background();
        }
    }

    /// Ensures that a task sends the unsent bytes, and lingers. Outside of a loop the connection
    /// does not linger, and the unsent bytes are sent once the writer is used in a loop.
    pub(super) fn flush_in_background(self: &Rc<Self>) {
        let Some(context) = self.context.upgrade().or_else(context::current) else {
            if self.is_lingering() {
                self.close_both();
            }
            return;
        };
        if !self.is_flushing.replace(true) {
            let options =
                SpawnOptions { name: Some("stream writer".into()), ..SpawnOptions::here() };
            drop(context.executor.spawn_boxed(Flusher(self.clone()).run(), options));
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.deregister(&mut self.waiter);
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

    /// Sends the unsent bytes. After the close the peer must accept some of them within each period
    /// of `linger`: no handle is left that could abort the connection.
    async fn flush(&self) -> io::Result<()> {
        let shared = &self.0;
        while shared.is_sending() && !shared.is_closed.get() {
            shared.socket.writable().await?;
            shared.send_some()?;
        }
        while shared.is_sending() {
            timeout(shared.linger, self.send_some()).await.map_err(|_| peer_is_stuck())??;
        }
        Ok(())
    }

    async fn send_some(&self) -> io::Result<()> {
        loop {
            self.0.socket.writable().await?;
            if self.0.send_some()? {
                return Ok(());
            }
        }
    }

    /// Reads and discards until the peer ends, sends nothing for `QUIET`, or has sent
    /// `DISCARD_MAX` bytes.
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
    let sentence =
        "after the writer was closed, the peer received nothing for StreamOptions::linger";
    io::Error::new(io::ErrorKind::TimedOut, sentence)
}

impl Drop for Flusher {
    fn drop(&mut self) {
        let shared = &self.0;
        shared.is_flushing.set(false);
        let unsent = shared.unsent();
        if shared.is_sending() {
            if unsent > 0 && debug::is_on() {
                let peer = &shared.socket;
                debug::report(format_args!(
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
