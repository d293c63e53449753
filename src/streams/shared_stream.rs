//! The state of a connection, which its reader, its writer and its flusher share.
//!
//! Nothing here waits or spawns: [`flusher`](super::flusher) does. Invariant: the error of the
//! connection is set once, and what is written after it or after the end is not sent.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::buffer::Buffer;
use super::connections::Entry;
use super::socket::StreamSocket;
use super::unsent::Unsent;
use crate::context::{self, Context};
use crate::current::read_buffer;
use crate::io_error::clone_error;
use crate::reactor::{Direction, Done, Readiness, WaiterKey, Waiters};
use crate::wait::WakeList;

/// A connection and what is on its way to it.
pub(super) struct SharedStream {
    pub(super) socket: StreamSocket,
    /// The loop in which the streams were made: it sends the rest, whoever runs.
    pub(super) home: Weak<Context>,
    pub(super) unsent: Unsent,
    /// The first error of the connection, which every later call of either half reports. What is
    /// written after it is dropped.
    pub(super) error: RefCell<Option<io::Error>>,
    /// The writer was misused or aborted before that: the writer reports it, the reader does not.
    refusal: Cell<Option<Refusal>>,
    /// A task sends what is unsent, or lingers.
    pub(super) is_flushing: Cell<bool>,
    pub(super) ending: Cell<Ending>,
    /// Both halves were closed: the reader gets no more than it has.
    pub(super) is_closed: Cell<bool>,
    /// The peer has ended its direction, and everything that it sent was read.
    has_peer_ended: Cell<bool>,
    /// See [`StreamOptions::linger`](super::StreamOptions::linger).
    pub(super) linger: Duration,
    /// Who waits for a change of the above: all look again.
    pub(super) changed: Waiters,
    /// Its place in a server, which it leaves when it is closed: after the socket.
    entry: Cell<Option<Entry<SharedStream>>>,
}

/// How far the connection is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    Open,
    /// The write direction ends once everything is sent.
    Flushing,
    /// The write direction has ended.
    Ended,
    /// Both directions have.
    Closed,
}

/// Why the writer takes nothing, although the connection may be whole.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    AfterEnd,
    Aborted,
}

impl SharedStream {
    pub(super) fn new(socket: StreamSocket, linger: Duration) -> SharedStream {
        SharedStream {
            socket,
            home: context::current().map_or_else(Weak::new, |home| Rc::downgrade(&home)),
            unsent: Unsent::new(),
            error: RefCell::new(None),
            refusal: Cell::new(None),
            is_flushing: Cell::new(false),
            ending: Cell::new(Ending::Open),
            is_closed: Cell::new(false),
            has_peer_ended: Cell::new(false),
            linger,
            changed: Waiters::default(),
            entry: Cell::new(None),
        }
    }

    /// The server that it came from, which counts it until it is closed.
    pub(super) fn belong_to(&self, entry: Entry<SharedStream>) {
        self.entry.set(Some(entry));
    }

    /// Completes with how many bytes came and are in `buffer` now; none, if the stream has ended.
    pub(super) fn fill<'a>(
        &'a self,
        buffer: &'a mut Buffer,
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.socket.source().io(Direction::Read, || self.receive(buffer))
    }

    /// One read, for the funnel. What came before the connection's error is read before the error
    /// is reported, also if the writer has met the error first.
    pub(super) fn receive(&self, buffer: &mut Buffer) -> io::Result<Done<usize>> {
        let received = match self.is_closed.get() {
            true => Ok(Done { value: 0, short: false }),
            false => self.read_socket(|bytes| buffer.push(bytes)),
        };
        match (&received, &*self.error.borrow()) {
            (Ok(Done { value: 1.., .. }), _) | (_, None) => received,
            (_, Some(error)) => Err(clone_error(error)),
        }
    }

    /// One read into memory that the whole thread shares: a connection to which nothing comes has
    /// no buffer of its own.
    pub(super) fn read_socket(&self, take: impl FnOnce(&[u8])) -> io::Result<Done<usize>> {
        read_buffer::lend(|room| {
            let done = self.socket.receive(room)?;
            take(&room[..done.value]);
            self.has_peer_ended.set(done.value == 0);
            Ok(done)
        })
    }

    /// Closes both directions at once: drops what is unsent and what the reader has not got.
    pub(super) fn abort(&self) {
        self.is_closed.set(true);
        if !self.has_ended() && !self.has_failed() {
            self.refusal.set(Some(Refusal::Aborted));
        }
        self.give_up();
    }

    /// Notes the first error of the connection, and drops what cannot be sent any more.
    pub(super) fn fail(&self, error: io::Error) {
        if self.error.borrow().is_none() {
            self.error.replace(Some(error));
            self.give_up();
        }
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending.get() > Ending::Open
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ending.get() >= Ending::Ended
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    pub(super) fn is_paused(&self) -> bool {
        self.unsent.is_paused()
    }

    pub(super) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    pub(super) fn set_marks(&self, low: usize, high: usize) {
        self.unsent.set_marks(low, high);
        self.notify();
    }

    /// The writer's first error, as often as it is asked for.
    pub(super) fn check(&self) -> io::Result<()> {
        match self.refusal.get() {
            Some(refusal) => Err(refusal.into()),
            None => self.check_connection(),
        }
    }

    /// The connection's first error, as often as it is asked for.
    pub(super) fn check_connection(&self) -> io::Result<()> {
        self.error.borrow().as_ref().map_or(Ok(()), |error| Err(clone_error(error)))
    }

    /// Gives up a place among those who wait for a change.
    pub(super) fn leave(&self, waiter: &mut WaiterKey) {
        self.changed.leave(waiter);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.refusal.get().is_some() || self.error.borrow().is_some()
    }

    /// Whether writing makes sense. To write after the end is an error, which a later call reports;
    /// what was written before the end is sent all the same.
    pub(super) fn may_write(&self) -> bool {
        if self.is_ending() && !self.has_failed() {
            self.refusal.set(Some(Refusal::AfterEnd));
            self.notify();
        }
        !self.has_failed()
    }

    /// Sends what the system takes of what is unsent. `false`: it takes nothing now.
    pub(super) fn send_unsent(&self) -> io::Result<bool> {
        let has_sent = self.unsent.send(|unsent| self.socket.try_write(unsent))?;
        if has_sent {
            self.notify();
        }
        Ok(has_sent)
    }

    /// Everything was sent: the peer may read to its end.
    pub(super) fn finish(&self) {
        let is_over = self.has_peer_ended.get() || self.error.borrow().is_some();
        if self.is_closed.get() && is_over {
            self.close_both();
        } else if self.ending.get() == Ending::Flushing {
            self.ending.set(Ending::Ended);
            match self.socket.shutdown(Shutdown::Write) {
                // The peer may have closed before: everything was sent.
                Err(error) if error.kind() != io::ErrorKind::NotConnected => self.fail(error),
                _ => {}
            }
        }
        self.notify();
    }

    /// The connection is of no use any more.
    fn give_up(&self) {
        self.unsent.clear();
        self.ending.set(self.ending.get().max(Ending::Ended));
        if self.is_closed.get() {
            self.close_both();
        }
        self.wake_socket();
        self.notify();
    }

    /// Everything was sent, and the peer may still send.
    pub(super) fn is_lingering(&self) -> bool {
        self.is_closed.get() && self.ending.get() == Ending::Ended
    }

    /// Ends both directions, though the streams may still be held.
    pub(super) fn close_both(&self) {
        if self.ending.replace(Ending::Closed) != Ending::Closed {
            // It fails only for a connection that is gone already.
            let _ = self.socket.shutdown(Shutdown::Both);
            drop(self.entry.take());
        }
    }

    /// Lets the reader and the flusher look again, also if they wait for the socket.
    pub(super) fn wake_socket(&self) {
        const CHANGED: Readiness = Readiness { read: true, write: true, special: true };
        let mut woken = VecDeque::new();
        self.socket.source().set_ready(CHANGED, &mut woken);
        WakeList::from(woken).wake();
    }

    /// Wakes who waits for a change.
    fn notify(&self) {
        let mut woken = VecDeque::new();
        self.changed.take_wakers(&mut woken);
        WakeList::from(woken).wake();
    }
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> io::Error {
        let (kind, sentence) = match refusal {
            Refusal::AfterEnd => {
                (io::ErrorKind::BrokenPipe, "the writer was written to after its end")
            }
            Refusal::Aborted => (io::ErrorKind::ConnectionAborted, "the writer was aborted"),
        };
        io::Error::new(kind, sentence)
    }
}
