//! L4: signals, as something to await. Unix.
//!
//! A listener's handler does nothing but write a byte to a pipe; the loop reads it. Invariant: a
//! listener's handler stays as long as the listener, and what the signal did to the process before
//! the first listener came is what it does again after the last has gone.

mod disposition;
mod interrupt;
mod kind;
mod listener;

pub use self::interrupt::Interrupted;
pub use self::kind::SignalKind;
#[cfg(feature = "process")]
pub(crate) use self::listener::is_ignored;
pub use self::listener::{Listener, ctrl_c, unix};
