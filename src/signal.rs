//! Signals of the process, as futures and streams. Unix.
//!
//! | item | purpose |
//! |---|---|
//! | [`ctrl_c`] | waits for one Ctrl-C (SIGINT) |
//! | [`unix`] | listens for a signal of any kind |
//! | [`Listener`] | waits for the signal, again and again |
//! | [`unix_many()`] | listens for several signals |
//! | [`Listeners`] | waits for any of several signals, and returns which came |
//! | [`SignalKind`] | the kind of a signal |
//! | [`Interrupted`] | Ctrl-C stopped [`Runtime::block_on_or_cancel`] |
//!
//! ```
//! use evloop::signal::{self, SignalKind};
//!
//! evloop::block_on(async {
//!     let mut terminate = signal::unix(SignalKind::terminate())?;
//!     // A service manager sends this signal.
//!     let me = rustix::process::getpid();
//!     rustix::process::kill_process(me, rustix::process::Signal::TERM)?;
//!     terminate.recv().await?;
//!     println!("shutting down");
//!     std::io::Result::Ok(())
//! }).unwrap();
//! ```
//!
//! [`Runtime::block_on_or_cancel`]: crate::Runtime::block_on_or_cancel

// Layer L4. A listener's handler only writes a byte to a pipe, which the loop reads. Invariant: a
// listener's handler stays installed as long as the listener; after the last listener the signal
// has the effect on the process that it had before the first.

mod disposition;
mod interrupt;
mod kind;
mod listener;
mod listeners;

#[doc(alias = "KeyboardInterrupt")]
pub use self::interrupt::Interrupted;
pub use self::kind::SignalKind;
#[doc(alias = "Signal")]
pub use self::listener::Listener;
#[doc(alias = "add_signal_handler")]
#[doc(alias = "KeyboardInterrupt")]
pub use self::listener::ctrl_c;
#[cfg(feature = "process")]
pub(crate) use self::listener::is_ignored;
#[doc(alias = "add_signal_handler")]
#[doc(alias = "open_signal_receiver")]
#[doc(alias = "signal_handler")]
pub use self::listener::unix;
pub use self::listeners::Listeners;
#[doc(alias = "open_signal_receiver")]
#[doc(alias = "unix")]
pub use self::listeners::unix_many;
