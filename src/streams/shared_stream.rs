//! The state of a connection that its reader, its writer and its flusher share.
//!
//! Nothing here waits or spawns: [`flusher`](super::flusher) does. Invariant: the error of the
//! connection is set once, and bytes that are written after it or after the end are not sent.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::socket::StreamSocket;
use super::unsent::Unsent;
use crate::context::{self, Context};
use crate::current::read_buffer;
use crate::io::Buffer;
use crate::io_error::{clone_error, shareable};
use crate::net::Entry;
use crate::reactor::{Direction, Done, Readiness, WaiterKey, Waiters};
use crate::wait::WakeList;

/// If a read needs so many bytes, they are received into the memory in which they stay.
const READ_DIRECTLY: usize = 64 * 1024;
/// How much memory is allocated before its bytes are received: the peer may have announced more
/// bytes than it will send.
const RESERVED_MAX: usize = 1 << 20;

/// A connection and its unsent bytes.
pub(super) struct SharedStream {
    pub(super) socket: StreamSocket,
    /// The loop in which the streams were created. Its tasks send the unsent bytes, also if another
    /// loop runs when the writer is used.
    pub(super) context: Weak<Context>,
    pub(super) unsent: Unsent,
    /// The first error of the connection, which every later call of either half reports. Bytes that
    /// are written after it are dropped.
    pub(super) error: RefCell<Option<io::Error>>,
    /// The writer was written to after its end, or was aborted, before any error. The writer
    /// reports this; the reader does not.
    refusal: Cell<Option<Refusal>>,
    /// A task sends the unsent bytes, or lingers.
    pub(super) is_flushing: Cell<bool>,
    /// The end of the running turn sends the unsent bytes.
    pub(super) is_listed: Cell<bool>,
    /// The socket that the turn has written to before this one.
    pub(super) listed_before: Cell<Option<Rc<SharedStream>>>,
    pub(super) ending: Cell<Ending>,
    /// The connection was closed in both directions: the reader receives no more bytes.
    pub(super) is_closed: Cell<bool>,
    /// The peer has ended its direction, and all its bytes were read.
    has_peer_ended: Cell<bool>,
    /// See [`StreamOptions::linger`](super::StreamOptions::linger).
    pub(super) linger: Duration,
    /// The tasks that wait for a change of the fields above. Each change wakes all of them.
    pub(super) changed: Waiters,
    /// The address of the peer once it is known: the system forgets it when a connection is reset.
    pub(super) known_peer: Cell<Option<SocketAddr>>,
    /// The entry of the connection in its server, removed after the socket is closed.
    pub(super) entry: Cell<Option<Entry<SharedStream>>>,
}

/// How far the connection is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    Open,
    /// The write direction ends once everything is sent.
    Flushing,
    /// The write direction has ended.
    Ended,
    /// Both directions have ended.
    Closed,
}

/// Why the writer accepts no bytes, although the connection has no error.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    AfterEnd,
    Aborted,
}

impl SharedStream {
    pub(super) fn new(socket: StreamSocket, linger: Duration) -> SharedStream {
        SharedStream {
            socket,
            context: context::current().map_or_else(Weak::new, |it| Rc::downgrade(&it)),
            unsent: Unsent::new(),
            error: RefCell::new(None),
            refusal: Cell::new(None),
            is_flushing: Cell::new(false),
            is_listed: Cell::new(false),
            listed_before: Cell::new(None),
            ending: Cell::new(Ending::Open),
            is_closed: Cell::new(false),
            has_peer_ended: Cell::new(false),
            linger,
            changed: Waiters::default(),
            known_peer: Cell::new(None),
            entry: Cell::new(None),
        }
    }

    /// Returns the address of the peer.
    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        if let Some(addr) = self.known_peer.get() {
            return Ok(addr);
        }
        let addr = self.socket.peer_addr()?;
        self.known_peer.set(Some(addr));
        Ok(addr)
    }

    /// Stores the entry of the connection in its server. It is dropped when the connection closes.
    pub(super) fn set_entry(&self, entry: Entry<SharedStream>) {
        self.entry.set(Some(entry));
    }

    /// Receives bytes into `buffer`, about `wanted` at most if these are many. Returns their
    /// number; 0 if the stream has ended.
    pub(super) fn fill<'a>(
        &'a self,
        buffer: &'a mut Buffer,
        wanted: usize,
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.socket.source().io(Direction::Read, move || self.receive(buffer, wanted))
    }

    /// Reads once, for [`Source::io`](crate::reactor::Source). Bytes that arrived before the error
    /// of the connection are read before the error is reported, also if the writer met it first.
    pub(super) fn receive(&self, buffer: &mut Buffer, wanted: usize) -> io::Result<Done<usize>> {
        let received = if self.is_closed.get() {
            Ok(Done { value: 0, short: false })
        } else if reads_directly(buffer, wanted) {
            self.receive_directly(buffer, wanted)
        } else {
            self.read_socket(|bytes| buffer.push(bytes))
        };
        match (&received, &*self.error.borrow()) {
            (Ok(Done { value: 1.., .. }), _) | (_, None) => received,
            (_, Some(error)) => Err(clone_error(error)),
        }
    }

    /// Reads once into the memory of `buffer`.
    #[inline(never)]
    fn receive_directly(&self, buffer: &mut Buffer, wanted: usize) -> io::Result<Done<usize>> {
        let wanted = wanted.min(RESERVED_MAX);
        let done = buffer.fill(wanted, |bytes| self.socket.receive_into(bytes))?;
        self.has_peer_ended.set(done.value == 0);
        Ok(done)
    }

    /// Reads once into the buffer that all connections of the thread share, and calls `take` with
    /// the bytes. So an idle connection needs no buffer of its own.
    pub(super) fn read_socket(&self, take: impl FnOnce(&[u8])) -> io::Result<Done<usize>> {
        read_buffer::with_buffer(|buffer| {
            let done = self.socket.receive(buffer)?;
            take(&buffer[..done.value]);
            self.has_peer_ended.set(done.value == 0);
            Ok(done)
        })
    }

    /// Closes both directions at once: drops the bytes not received yet, and the unsent bytes that
    /// the system does not accept now.
    pub(super) fn abort(&self) {
        self.send_now();
        self.is_closed.set(true);
        if !self.has_ended() && !self.has_failed() {
            self.refusal.set(Some(Refusal::Aborted));
        }
        self.discard_unsent();
    }

    /// Stores the first error of the connection, and drops the unsent bytes.
    pub(super) fn fail(&self, error: io::Error) {
        if self.error.borrow().is_none() {
            self.error.replace(Some(shareable(error)));
            self.discard_unsent();
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

    /// Returns the low-water and the high-water mark.
    pub(super) fn marks(&self) -> (usize, usize) {
        self.unsent.marks()
    }

    pub(super) fn set_marks(&self, low: usize, high: usize) {
        self.unsent.set_marks(low, high);
        self.notify();
    }

    /// Returns the first error of the writer, at each call.
    pub(super) fn check(&self) -> io::Result<()> {
        match self.refusal.get() {
            Some(refusal) => Err(refusal.into()),
            None => self.check_connection(),
        }
    }

    /// Returns the first error of the connection, at each call.
    pub(super) fn check_connection(&self) -> io::Result<()> {
        self.error.borrow().as_ref().map_or(Ok(()), |error| Err(clone_error(error)))
    }

    /// Removes a waiter for a change.
    pub(super) fn deregister(&self, waiter: &mut WaiterKey) {
        self.changed.deregister(waiter);
    }

    /// Returns whether the writer has an error. Each one ends the write direction, too.
    #[inline]
    pub(super) fn has_failed(&self) -> bool {
        self.is_ending() && (self.refusal.get().is_some() || self.error.borrow().is_some())
    }

    /// Returns whether the writer accepts bytes. Writing after the end is an error, which a later
    /// call reports; the bytes written before the end are still sent.
    #[inline]
    pub(super) fn may_write(&self) -> bool {
        if self.is_ending() {
            self.refuse();
        }
        !self.is_ending()
    }

    #[cold]
    fn refuse(&self) {
        if !self.has_failed() {
            self.refusal.set(Some(Refusal::AfterEnd));
            self.notify();
        }
    }

    /// Returns whether everything was sent. After the end, nothing is.
    pub(super) fn has_sent(&self) -> bool {
        self.unsent.is_empty() && (self.socket.is_flushed() || self.has_ended())
    }

    /// Returns whether something is left to do that may have to wait for the connection.
    pub(super) fn is_sending(&self) -> bool {
        !self.has_sent() || self.ending.get() == Ending::Flushing && self.socket.ends_later()
    }

    /// Sends unsent bytes, unless the system has refused some of them already.
    pub(super) fn send_now(&self) {
        if !self.unsent.is_empty() && !self.is_flushing.get() {
            match self.send_unsent() {
                Ok(_) => self.notify(),
                Err(error) => self.fail(error),
            }
        }
    }

    /// Takes one step of sending, if the system accepts it: sends unsent bytes, or, after them,
    /// what the connection has buffered, or the end. Returns `false` if it must wait.
    pub(super) fn send_some(&self) -> io::Result<bool> {
        if self.has_sent() {
            self.finish();
            return Ok(!self.is_sending());
        }
        let has_sent = match self.unsent.is_empty() {
            false => self.send_unsent()?,
            true => match self.socket.try_flush() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
                flushed => flushed.map(|()| true)?,
            },
        };
        if has_sent {
            self.notify();
        }
        Ok(has_sent)
    }

    /// Sends unsent bytes once. Returns `false` if the system accepts none now.
    fn send_unsent(&self) -> io::Result<bool> {
        let sent = self.unsent.send(|unsent| self.socket.try_write(unsent));
        sent.map(|beyond| beyond.is_some())
    }

    /// Ends the write direction after everything was sent: the peer reaches its end of stream. The
    /// ending stays `Flushing` if the connection must wait for that.
    pub(super) fn finish(&self) {
        let has_read_all = self.has_peer_ended.get() || self.error.borrow().is_some();
        let closes_both = self.is_closed.get() && has_read_all;
        let is_flushing = self.ending.get() == Ending::Flushing;
        // Closing both directions ends a socket's write direction, too.
        if is_flushing && (!closes_both || self.socket.ends_later()) && !self.end_write() {
            return;
        }
        if closes_both {
            self.close_both();
        }
        self.notify();
    }

    /// Ends the write direction. Returns `false` if the connection must wait for that.
    fn end_write(&self) -> bool {
        let ended = self.socket.shutdown(Shutdown::Write);
        if ended.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            return false;
        }
        self.ending.set(self.ending.get().max(Ending::Ended));
        match ended {
            // The peer may have closed the connection already: everything was sent.
            Err(error) if error.kind() != io::ErrorKind::NotConnected => self.fail(error),
            _ => {}
        }
        true
    }

    /// Drops the unsent bytes and ends the write direction, after an error or an abort.
    fn discard_unsent(&self) {
        self.unsent.clear();
        self.ending.set(self.ending.get().max(Ending::Ended));
        if self.is_closed.get() {
            self.close_both();
        }
        self.wake_socket();
        self.notify();
    }

    /// Returns whether the connection is closed and everything was sent, but the peer may still
    /// send.
    pub(super) fn is_lingering(&self) -> bool {
        self.is_closed.get() && self.ending.get() == Ending::Ended
    }

    /// Ends both directions, also while the reader or the writer still exists.
    pub(super) fn close_both(&self) {
        if self.ending.replace(Ending::Closed) != Ending::Closed {
            // It fails only if the connection has ended already.
            let _ = self.socket.shutdown(Shutdown::Both);
            drop(self.entry.take());
        }
    }

    /// Wakes the reader and the flusher if they wait for the socket.
    pub(super) fn wake_socket(&self) {
        const CHANGED: Readiness = Readiness { read: true, write: true };
        let mut woken = Vec::new();
        self.socket.source().set_special(CHANGED, &mut woken);
        WakeList::from(woken).wake();
    }

    /// Wakes the tasks that wait for a change.
    fn notify(&self) {
        if !self.changed.has_wakers() {
            return;
        }
        let mut woken = Vec::new();
        self.changed.take_wakers(&mut woken);
        WakeList::from(woken).wake();
    }
}

/// Returns whether bytes are received into the memory of `buffer`: a large piece begins, or is
/// completed without an allocation.
fn reads_directly(buffer: &Buffer, wanted: usize) -> bool {
    wanted >= READ_DIRECTLY || buffer.len() >= READ_DIRECTLY && wanted <= buffer.spare()
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> io::Error {
        let (kind, sentence) = match refusal {
            Refusal::AfterEnd => {
                (io::ErrorKind::BrokenPipe, "bytes were written after the writer was closed")
            }
            Refusal::Aborted => (io::ErrorKind::ConnectionAborted, "the writer was aborted"),
        };
        io::Error::new(kind, sentence)
    }
}
