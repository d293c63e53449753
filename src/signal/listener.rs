//! One who listens for a signal.

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

/// Waits for a signal, again and again; made by [`unix`](super::unix). A `Stream` that never ends.
///
/// Signals that come before the listener is awaited wait for it; as the system has it, several of
/// them may count as one.
#[must_use = "the signal is listened to until this is dropped"]
pub struct Listener {
    socket: Socket<Receiver>,
    kind: SignalKind,
    handler: SigId,
    /// The place of who polls it as a stream.
    key: WaiterKey,
}

impl Listener {
    pub(super) fn new(kind: SignalKind, reactor: Rc<Reactor>) -> io::Result<Listener> {
        let number = kind.as_raw();
        let invalid = |sentence| io::Error::new(io::ErrorKind::InvalidInput, sentence);
        if let Some(why) = kind.forbidden() {
            return Err(invalid(format!("{kind} cannot be listened to: {why}")));
        }
        if number <= 0 {
            return Err(invalid(format!("{number} is no signal's number")));
        }
        let (writer, reader) = pipe::new()?;
        let socket = Socket::new(reader, reactor, true)?;
        let handler = disposition::listen(number, || low_level::pipe::register(number, writer));
        let handler = handler.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => invalid(format!("{number} is no signal's number")),
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
    /// No signal is lost: one that came stays until it is received.
    pub async fn recv(&mut self) -> io::Result<()> {
        self.socket.io(Direction::Read, drain).await
    }

    /// Completes once the signal has come, and takes it.
    pub(super) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_io(Direction::Read, cx, &mut self.key, drain)
    }

    /// What it listens for.
    pub fn kind(&self) -> SignalKind {
        self.kind
    }
}

/// Takes in all signals that have come.
fn drain(mut io: &Receiver) -> io::Result<Done<()>> {
    let mut buf = [0; 256];
    let mut n = io.read(&mut buf)?;
    while n == buf.len() {
        n = match io.read(&mut buf) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // They were drained to the last.
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
        disposition::leave(self.kind.as_raw(), self.handler);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Listens for a signal, from this call on until the listener is dropped.
///
/// While there is a listener in the process the signal does nothing but reach all of them, in
/// whatever loops and threads they are. When the last has gone, the signal does again what it did
/// before the first came: what the system does by default (for most signals: ends the process), or
/// nothing, if it was ignored. A handler that the program had installed before by other means is
/// called all the time. One that it installs later through the crate signal-hook is called too, but
/// does not keep the default away once the last listener has gone.
///
/// A signal that has come to a listener is spent, also if the listener is dropped at once.
///
/// # Ignored signals
///
/// Only Linux reports that a process was started with a signal ignored, as `nohup` does with SIGHUP
/// and a shell with the SIGINT of background jobs. Elsewhere the default comes back in its place
/// (but for SIGPIPE).
///
/// The handler stays in the process: what is ignored after the last listener is ignored by a
/// handler. exec(2) resets handled signals to their default, so child processes that are started
/// after the first listener came do not inherit that the signal is ignored. To start them with it
/// ignored, use the shell: `Command::shell("trap '' HUP; exec program")`.
///
/// # fork
///
/// A child by fork(2) without exec(2) shares its listeners with its parent: a signal to either
/// wakes a listener in one of them. It has no other thread, so a lock that another thread of the
/// parent held stays locked. Fork before the first loop and listener, or start a program
/// ([`process`](crate::process)).
///
/// # Errors
///
/// Kind `InvalidInput` for a number that is no signal, and for signals that cannot be listened to:
/// SIGKILL and SIGSTOP, which the system lets no program handle; SIGSEGV, SIGILL and SIGFPE, which
/// tell of a fault of the very instruction that runs. Else if no descriptor is left.
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
#[doc(alias = "add_signal_handler")]
#[track_caller]
pub fn unix(kind: SignalKind) -> io::Result<Listener> {
    let reactor = context::expect("signal::unix").reactor.clone();
    Listener::new(kind, reactor)
}

/// Waits for Ctrl-C (SIGINT).
///
/// This is a [listener](unix) for one signal: it listens from this call on until the future is
/// dropped or has completed. After that Ctrl-C ends the process, unless something else listens: an
/// impatient user's second one does.
///
/// # Errors
///
/// If the handler cannot be installed: no descriptor is left.
///
/// # Cancel safety
///
/// `&mut ctrl_c` may be awaited and given up at any time: a signal that has come stays.
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
#[doc(alias = "add_signal_handler")]
#[doc(alias = "KeyboardInterrupt")]
#[track_caller]
pub fn ctrl_c() -> impl Future<Output = io::Result<()>> {
    let reactor = context::expect("signal::ctrl_c").reactor.clone();
    let listener = Listener::new(SignalKind::interrupt(), reactor);
    async move { listener?.recv().await }
}

/// Whether the process ignores a signal, as far as the system reports it.
#[cfg(feature = "process")]
pub(crate) fn is_ignored(kind: SignalKind) -> bool {
    disposition::disposition(kind.as_raw()) == disposition::Disposition::Ignored
}
