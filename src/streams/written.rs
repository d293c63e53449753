//! What a turn writes to connections, which send it at its end.
//!
//! Many small writes cost one system call so. A turn is a poll of a task: the bytes leave before
//! any other task runs. Invariant: a connection is listed from its first small write in a turn
//! until it has sent what the turn has written, or has left it to its flusher.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::iter;
use std::rc::Rc;

use super::shared_stream::SharedStream;
use crate::context::{self, Context};
use crate::io::Buffer;

/// With this many unsent bytes a write sends at once: a larger system call saves little, and the
/// bytes need not be copied.
const SEND_AT: usize = 16 * 1024;

thread_local! {
    /// The socket that the running turn has written to last. Each one links to the one before, so
    /// the list needs no memory.
    static LAST: Cell<Option<Rc<SharedStream>>> = const { Cell::new(None) };
}

impl SharedStream {
    /// Queues the bytes if they are few: they are sent at the end of the turn. Otherwise sends what
    /// the system accepts now, and queues the rest for the flusher.
    pub(super) fn write(self: &Rc<Self>, bytes: &[u8]) {
        if !self.may_write() || self.is_listed.get() && self.unsent.push_below(SEND_AT, bytes) {
            return;
        }
        self.write_first(bytes);
    }

    /// Writes bytes that are many, or the first ones of the turn.
    #[inline(never)]
    fn write_first(self: &Rc<Self>, bytes: &[u8]) {
        if self.may_queue(bytes.len()) {
            return self.unsent.push(|unsent| unsent.push(bytes));
        }
        let sent = self.unsent.send(|queued| match queued {
            [] => self.socket.try_write(bytes),
            _ => self.socket.try_write_vectored(&[IoSlice::new(queued), IoSlice::new(bytes)]),
        });
        self.queue_rest(sent, bytes.len(), |unsent, n| unsent.push(&bytes[n..]));
    }

    /// Does the same with several buffers, which are sent together.
    pub(super) fn write_vectored(self: &Rc<Self>, pieces: &[IoSlice<'_>]) {
        if !self.may_write() {
            return;
        }
        let push_from = |unsent: &mut Buffer, mut n: usize| {
            for piece in pieces {
                unsent.push(&piece[n.min(piece.len())..]);
                n = n.saturating_sub(piece.len());
            }
        };
        let len = pieces.iter().map(|piece| piece.len()).sum();
        if self.may_queue(len) {
            return self.unsent.push(|unsent| push_from(unsent, 0));
        }
        let sent = self.unsent.send(|queued| match queued {
            [] => self.socket.try_write_vectored(pieces),
            _ => {
                let queued = iter::once(IoSlice::new(queued));
                let all: Vec<_> = queued.chain(pieces.iter().copied()).collect();
                self.socket.try_write_vectored(&all)
            }
        });
        self.queue_rest(sent, len, push_from);
    }

    /// Sends now what was queued for the end of the turn, and leaves the rest to the flusher.
    pub(super) fn flush(self: &Rc<Self>) {
        self.send_now();
        if self.is_sending() {
            self.flush_in_background();
        }
    }

    /// Sends what was queued, if its turn has ended.
    pub(super) fn end_turn(self: &Rc<Self>) {
        if self.is_listed.replace(false) {
            self.flush();
        }
    }

    /// Returns whether `len` more bytes may be queued without trying to send them: the flusher or
    /// the end of the turn sends them.
    fn may_queue(self: &Rc<Self>, len: usize) -> bool {
        let unsent = self.unsent.len();
        if unsent > 0 && self.is_flushing.get() {
            return true;
        }
        unsent + len < SEND_AT && (self.is_listed.get() || self.list())
    }

    /// Lists the connection, so that the end of the turn sends. Returns `false` if no turn runs.
    fn list(self: &Rc<Self>) -> bool {
        let listed = context::with_current(|context| match self.socket.as_io() {
            // User code must not run between two turns: a task of the object sends.
            Some(io) => self.is_of(context) && context.executor.is_in_batch() && io.wake_sender(),
            None => context.executor.after_turn(send_written) && self.push_written(),
        });
        self.is_listed.set(listed.unwrap_or(false));
        self.is_listed.get()
    }

    fn is_of(&self, context: &Rc<Context>) -> bool {
        self.context.as_ptr() == Rc::as_ptr(context)
    }

    /// Returns `false` if the thread ends.
    fn push_written(self: &Rc<Self>) -> bool {
        LAST.try_with(|last| self.listed_before.set(last.replace(Some(self.clone())))).is_ok()
    }

    /// Queues the bytes, of `len`, that a call has not sent.
    fn queue_rest(
        self: &Rc<Self>,
        sent: io::Result<Option<usize>>,
        len: usize,
        push_from: impl FnOnce(&mut Buffer, usize),
    ) {
        match sent {
            Ok(Some(n)) if n == len && self.socket.is_flushed() => {}
            Ok(n) => {
                self.unsent.push(|unsent| push_from(unsent, n.unwrap_or(0)));
                self.flush_in_background();
            }
            Err(error) => self.fail(error),
        }
    }
}

/// Sends what the last turn has written, for each connection in one system call.
fn send_written() {
    let Some(last) = LAST.take() else { return };
    match last.listed_before.take() {
        None => last.end_turn(),
        Some(before) => send_in_order(last, before),
    }
}

/// Does the same for several connections, in the order of the writes.
fn send_in_order(last: Rc<SharedStream>, before: Rc<SharedStream>) {
    // Turns the list round.
    let (mut first, mut before) = (last, Some(before));
    while let Some(shared) = before {
        before = shared.listed_before.replace(Some(first));
        first = shared;
    }
    let mut next = Some(first);
    while let Some(shared) = next {
        // It may wake a waker of another runtime, which may panic: the others stay listed.
        LAST.with(|last| last.set(shared.listed_before.take()));
        shared.end_turn();
        next = LAST.take();
    }
}
