//! Listeners for signals.

use std::fmt;
use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_core::Stream;
use mio::unix::pipe::{self, Receiver};
use signal_hook::{SigId, low_level};

use super::disposition;
use super::kind::SignalKind;
use crate::context;
use crate::reactor::{Direction, Done, Reactor, Socket, WaiterKey};
use crate::world;

/// Waits for a signal, repeatedly; returned by [`unix()`]. It is also a `Stream`, which
/// never ends.
///
/// A signal that comes before the listener is awaited is stored until then. Several signals may
/// count as one, as in the system itself.
#[must_use = "the listener receives its signal until it is dropped"]
pub struct Listener {
    socket: Socket<Receiver>,
    kind: SignalKind,
    handler: SigId,
    /// The waiter of the task that polls it as a stream.
    key: WaiterKey,
}

impl Listener {
    pub(super) fn new(kind: SignalKind, reactor: Rc<Reactor>) -> io::Result<Listener> {
        world::check_outside("listening for a signal")?;
        let number = kind.as_raw();
        let invalid = |sentence| io::Error::new(io::ErrorKind::InvalidInput, sentence);
        if let Some(why) = kind.forbidden_reason() {
            return Err(invalid(format!("{kind} cannot be listened to: {why}")));
        }
        if number <= 0 {
            return Err(invalid(format!("{number} is not the number of a signal")));
        }
        let (writer, reader) = pipe::new()?;
        let socket = Socket::new(reader, reactor, true)?;
        let handler =
            disposition::add_listener(number, || low_level::pipe::register(number, writer));
        let handler = handler.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => {
                invalid(format!("{number} is not the number of a signal"))
            }
            _ => error,
        })?;
        Ok(Listener { socket, kind, handler, key: WaiterKey::default() })
    }

    /// Waits for the signal.
    ///
    /// # Errors
    ///
    /// Only after the listener's loop has ended.
    ///
    /// # Cancel safety
    ///
    /// No signal is lost: a signal is stored until it is received.
    pub fn recv(&mut self) -> impl Future<Output = io::Result<()>> {
        self.socket.io(Direction::Read, drain)
    }

    /// Completes once the signal has come, and takes it.
    pub(super) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_io(Direction::Read, cx, &mut self.key, drain)
    }

    /// Returns the kind of its signal.
    pub fn kind(&self) -> SignalKind {
        self.kind
    }
}

/// Reads all signals that have come.
fn drain(mut io: &Receiver) -> io::Result<Done<()>> {
    let mut buf = [0; 256];
    let mut n = io.read(&mut buf)?;
    while n == buf.len() {
        n = match io.read(&mut buf) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // The pipe is empty.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            read => read?,
        };
    }
    Ok(Done { value: (), short: n > 0 })
}

impl Stream for Listener {
    type Item = io::Result<()>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_recv(cx).map(Some)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        disposition::remove_listener(self.kind.as_raw(), self.handler);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Listens for a signal, from this call until the listener is dropped.
///
/// While the process has a listener for a signal, the signal has no other effect than to wake all
/// its listeners, in all loops and threads. When the last listener is dropped, the signal again has
/// the effect that it had before the first: the system's default (for most signals: it ends the
/// process), or none if it was ignored. A handler that the program installed earlier by other means
/// is called all the time. A handler that it installs later through the crate signal-hook is called
/// too, but does not prevent the default once the last listener is dropped.
///
/// A signal that has reached a listener is consumed, even if the listener is dropped at once.
///
/// # Ignored signals
///
/// Only Linux reports that a process was started with a signal ignored, as `nohup` does with SIGHUP
/// and a shell with the SIGINT of background jobs. Elsewhere the default applies again after the
/// last listener (except for SIGPIPE).
///
/// The handler stays in the process: after the last listener an ignored signal is ignored by a
/// handler. exec(2) resets handled signals to their default, so child processes that are started
/// after the first listener was created do not inherit that the signal is ignored. To start them
/// with it ignored, use the shell: `Command::shell("trap '' HUP; exec program")`.
///
/// # fork
///
/// After fork(2) without exec(2) the child shares its listeners with its parent: a signal to either
/// process wakes a listener in one of them. The child has no other thread, so a lock that another
/// thread of the parent held stays locked. Fork before the first loop and listener, or start a
/// program ([`process`](crate::process)).
///
/// # Errors
///
/// Kind `InvalidInput` for a number that is not a signal, and for signals that cannot be listened
/// to: SIGKILL and SIGSTOP, which the system does not let a program handle; SIGSEGV, SIGILL and
/// SIGFPE, which report a fault of the current instruction. Also if no descriptor is left.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// use evloop::signal::{self, SignalKind};
///
/// evloop::block_on(async {
///     let mut reloads = signal::unix(SignalKind::hangup())?;
///     let me = rustix::process::getpid();
///     rustix::process::kill_process(me, rustix::process::Signal::HUP)?;
///     reloads.recv().await
/// }).unwrap();
/// ```
#[track_caller]
pub fn unix(kind: SignalKind) -> io::Result<Listener> {
    let reactor = context::expect("signal::unix").reactor.clone();
    Listener::new(kind, reactor)
}

/// Waits for Ctrl-C (SIGINT).
///
/// This is a [listener](unix) for one signal: it listens from this call until the future completes
/// or is dropped. After that Ctrl-C ends the process, unless there is another listener; so an
/// impatient user's second Ctrl-C ends it.
///
/// # Errors
///
/// If the handler cannot be installed because no descriptor is left.
///
/// # Cancel safety
///
/// `&mut ctrl_c` may be awaited and dropped at any time: a signal that has come is stored.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```no_run
/// evloop::block_on(async {
///     println!("press Ctrl-C");
///     evloop::signal::ctrl_c().await?;
///     println!("goodbye");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn ctrl_c() -> impl Future<Output = io::Result<()>> {
    let reactor = context::expect("signal::ctrl_c").reactor.clone();
    let listener = Listener::new(SignalKind::interrupt(), reactor);
    async move { listener?.recv().await }
}

/// Returns whether the process ignores a signal, as far as the system reports it.
#[cfg(feature = "process")]
pub(crate) fn is_ignored(kind: SignalKind) -> bool {
    disposition::disposition(kind.as_raw()) == disposition::Disposition::Ignored
}
