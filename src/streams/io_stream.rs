//! A connection of any type that implements the traits of futures-io, as a socket of streams.
//!
//! The reader and the writer poll the object with the waker of one task, the driver: its waker
//! serves both directions, so neither replaces the waker of the other one, also where reading needs
//! a write (TLS). When the object wakes the driver, the driver marks both directions ready, as an
//! event of the selector does for a socket. A second task, the sender, sends what a turn has
//! written: the driver cannot do that too, since each of its polls makes both directions ready, and
//! wakes a reader that waits. Invariant: the object is in its cell, or it is being polled, or it is
//! closed.

use std::any::Any;
use std::cell::{Cell, OnceCell};
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};

use crate::context;
use crate::current::{self, WaitsFor};
use crate::executor::{JoinHandle, SpawnOptions};
use crate::reactor::{Direction, Done, Readiness, Source};
use crate::wait::WakeList;

/// The connection of [`from_io`](super::from_io): an object with the traits of futures-io.
///
/// ```
/// use evloop::io::{DuplexStream, duplex};
///
/// evloop::block_on(async {
///     let (one, _other) = duplex(64);
///     let (_reader, writer) = evloop::streams::from_io(one);
///     let io = writer.get_ref().as_io().expect("no socket");
///     let text = io.with(|duplex: &mut DuplexStream| format!("{duplex:?}"));
///     assert_eq!(text.unwrap(), "DuplexStream { to_read: 0, unread: 0 }");
/// });
/// ```
pub struct IoStream {
    /// Empty while the object is polled, and once it is closed.
    io: Cell<Option<Box<dyn PolledIo>>>,
    driven: Rc<Driven>,
    /// The object has accepted bytes that it may buffer.
    pub(super) is_unflushed: Cell<bool>,
    is_closed: Cell<bool>,
    /// The addresses of the TCP connection on which the object runs, if they are known.
    pub(super) addrs: OnceCell<Box<Addrs>>,
    /// Dropping it ends the sender.
    sender: JoinHandle<()>,
    /// Dropping it ends the driver.
    _driver: JoinHandle<()>,
}

/// The addresses of a TCP connection.
pub(super) struct Addrs {
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
}

/// The state that the object's user, the driver and the sender share.
struct Driven {
    source: Source,
    /// The waker of the driver, set by its first poll.
    waker: OnceCell<Waker>,
    /// The waker of the sender, set by its first poll.
    sender: OnceCell<Waker>,
    /// Called by each poll of the sender, and at its end.
    send: OnceCell<Box<dyn Fn()>>,
}

/// The object, with its type erased.
trait PolledIo: AsyncRead + AsyncWrite + Unpin {
    fn as_any(&mut self) -> &mut dyn Any;
}

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> PolledIo for T {
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

/// The object while it is polled. Its drop puts the object back.
struct Lent<'a> {
    stream: &'a IoStream,
    io: Option<Box<dyn PolledIo>>,
}

/// The driver's hold of the shared state. Its drop closes the source: the loop has ended.
struct Driver(Rc<Driven>);

/// The sender's hold of the shared state. Its drop sends what was written: the loop has ended.
struct Sender(Rc<Driven>);

const BOTH: Readiness = Readiness { read: true, write: true };

impl Driven {
    /// Not ready: without the driver's waker nothing can be polled.
    fn new() -> Driven {
        Driven {
            source: Source::new(false),
            waker: OnceCell::new(),
            sender: OnceCell::new(),
            send: OnceCell::new(),
        }
    }

    fn send(&self) {
        if let Some(send) = self.send.get() {
            send();
        }
    }
}

impl IoStream {
    /// Starts the driver and the sender. `caller` names the public function in the panic message.
    #[track_caller]
    pub(super) fn new(io: impl AsyncRead + AsyncWrite + Unpin + 'static, caller: &str) -> IoStream {
        let driven = Rc::new(Driven::new());
        let (driver, sender) = (Driver(driven.clone()), Sender(driven.clone()));
        let spawned_at = Location::caller();
        let options = |name: &str| SpawnOptions {
            name: Some(name.into()),
            // Polled at once within a turn, so that the first write need not wait for it.
            is_eager: true,
            ..SpawnOptions::at(spawned_at)
        };
        let context = context::expect(caller);
        let executor = &context.executor;
        // At the end of the loop the sender is dropped first, while the source is open.
        let sender = poll_fn(move |cx| sender.poll(cx));
        let sender = executor.spawn_boxed(sender, options("stream sender")).abort_on_drop();
        let driver = poll_fn(move |cx| driver.poll(cx));
        let driver = executor.spawn_boxed(driver, options("stream driver")).abort_on_drop();
        IoStream {
            io: Cell::new(Some(Box::new(io))),
            driven,
            is_unflushed: Cell::new(false),
            is_closed: Cell::new(false),
            addrs: OnceCell::new(),
            sender,
            _driver: driver,
        }
    }

    /// Calls `f` with the object, for instance to read the certificate of a TLS connection. Returns
    /// `None` if the object is of another type, is being polled, or was dropped since the
    /// connection is closed.
    pub fn with<T: 'static, R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut lent = self.lend()?;
        lent.io().as_any().downcast_mut().map(f)
    }

    pub(super) fn source(&self) -> &Source {
        &self.driven.source
    }

    /// Sets what the sender calls in each poll, and at its end. It may poll the object.
    pub(super) fn set_send(&self, send: impl Fn() + 'static) {
        // Set once, by the streams.
        let _ = self.driven.send.set(Box::new(send));
    }

    /// Wakes the sender. Returns `false` if it has ended, or was not polled yet.
    pub(super) fn wake_sender(&self) -> bool {
        let waker = self.driven.sender.get().filter(|_| !self.sender.is_finished());
        waker.inspect(|waker| waker.wake_by_ref()).is_some()
    }

    pub(super) fn is_flushed(&self) -> bool {
        !self.is_unflushed.get()
    }

    /// Reads once, for [`Source::io`].
    pub(super) fn receive(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
        let len = buf.len();
        let n = self.poll(|io, cx| io.poll_read(cx, buf))?;
        Ok(Done { value: check_count(n, len)?, short: false })
    }

    /// Writes once. If the object accepts all bytes, it is flushed.
    pub(super) fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.write(buf.len(), |io, cx| io.poll_write(cx, buf))
    }

    pub(super) fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        self.write(len, |io, cx| io.poll_write_vectored(cx, bufs))
    }

    /// Lets the object send what it has buffered.
    pub(super) fn try_flush(&self) -> io::Result<()> {
        self.attempt_write(|io, cx| io.poll_flush(cx))?;
        self.is_unflushed.set(false);
        Ok(())
    }

    /// Ends the write direction.
    pub(super) fn try_end(&self) -> io::Result<()> {
        self.attempt_write(|io, cx| io.poll_close(cx))?;
        self.is_unflushed.set(false);
        Ok(())
    }

    /// Drops the object: at once, or after its poll.
    pub(super) fn close(&self) {
        self.is_closed.set(true);
        drop(self.io.take());
    }

    fn write(
        &self,
        len: usize,
        mut poll: impl FnMut(Pin<&mut dyn PolledIo>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> io::Result<usize> {
        if len == 0 {
            return Ok(0);
        }
        let n = check_count(self.attempt_write(&mut poll)?, len)?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.is_unflushed.set(true);
        match if n == len { self.try_flush() } else { Ok(()) } {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(n),
        }
    }

    /// Records the readiness, and retries what was interrupted.
    fn attempt_write<T>(
        &self,
        mut poll: impl FnMut(Pin<&mut dyn PolledIo>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        let op = || self.poll(&mut poll).map(|value| Done { value, short: false });
        self.driven.source.attempt(Direction::Write, op)
    }

    /// Polls the object. `Pending` is an error of kind `WouldBlock`, as of a system call.
    fn poll<T>(
        &self,
        poll: impl FnOnce(Pin<&mut dyn PolledIo>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        // The first poll of the driver marks both directions ready.
        let waker = self.driven.waker.get().ok_or(io::ErrorKind::WouldBlock)?;
        let Some(mut lent) = self.lend() else {
            if self.is_closed.get() {
                return Err(io::ErrorKind::NotConnected.into());
            }
            // The object uses this stream while it is polled: tried again after that poll.
            waker.wake_by_ref();
            return Err(io::ErrorKind::WouldBlock.into());
        };
        match poll(Pin::new(lent.io()), &mut Context::from_waker(waker)) {
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
            // No waker is registered then: waiting would never end.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(io::Error::other(format!("poll returned WouldBlock, not Pending: {error}")))
            }
            Poll::Ready(result) => result,
        }
    }

    fn lend(&self) -> Option<Lent<'_>> {
        self.io.take().map(|io| Lent { stream: self, io: Some(io) })
    }
}

/// Returns `n`, unless the object reports more bytes than its buffer has.
fn check_count(n: usize, len: usize) -> io::Result<usize> {
    if n <= len {
        return Ok(n);
    }
    Err(io::Error::other(format!("the connection reports {n} bytes of a buffer of {len}")))
}

impl Lent<'_> {
    fn io(&mut self) -> &mut dyn PolledIo {
        &mut **self.io.as_mut().expect("it is put back by the drop only")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if !self.stream.is_closed.get() {
            self.stream.io.set(self.io.take());
        }
    }
}

impl Driver {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.waker.get_or_init(|| cx.waker().clone());
        let mut woken = Vec::new();
        self.0.source.set_special(BOTH, &mut woken);
        WakeList::from(woken).wake();
        current::pending(WaitsFor::Io)
    }
}

impl Sender {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.sender.get_or_init(|| cx.waker().clone());
        self.0.send();
        current::pending(WaitsFor::Io)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let mut woken = Vec::new();
        self.0.source.close(&mut woken);
        WakeList::from(woken).wake();
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.send();
    }
}

impl fmt::Debug for IoStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_closed = self.is_closed.get();
        f.debug_struct("IoStream").field("is_closed", &is_closed).finish_non_exhaustive()
    }
}
