//! L4: signals, as something to await. Unix.
//!
//! A listener's handler does nothing but write a byte to a pipe; the loop reads it. Invariant: a
//! listener's handler stays as long as the listener, and what the signal did to the process before
//! the first listener came is what it does again after the last has gone.

mod cancel;
mod defaults;
mod kind;
mod listener;

use std::future::Future;
use std::io;

pub use self::cancel::Cancelled;
use self::defaults::Disposition;
pub use self::kind::SignalKind;
pub use self::listener::Listener;
use crate::context;

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
    defaults::disposition(kind.as_raw()) == Disposition::Ignored
}
