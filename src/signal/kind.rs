//! The kind of a signal.

use std::fmt;

use signal_hook::consts;
use signal_hook::low_level::signal_name;

/// The kind of a signal, by its number.
///
/// ```
/// use evloop::signal::SignalKind;
///
/// assert_eq!(SignalKind::terminate().as_raw(), 15);
/// assert_eq!(SignalKind::from_raw(1), SignalKind::hangup());
/// assert_eq!(SignalKind::interrupt().to_string(), "SIGINT");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalKind(i32);

impl SignalKind {
    /// Returns the signal of this number. An invalid number is reported when it is used.
    pub const fn from_raw(number: i32) -> SignalKind {
        SignalKind(number)
    }

    /// Returns its number.
    pub const fn as_raw(self) -> i32 {
        self.0
    }

    /// Returns SIGALRM: a timer of the process has expired. By default it ends the process.
    pub const fn alarm() -> SignalKind {
        SignalKind(consts::SIGALRM)
    }

    /// Returns SIGCHLD: a child process ended, stopped or continued. By default it has no effect.
    pub const fn child() -> SignalKind {
        SignalKind(consts::SIGCHLD)
    }

    /// Returns SIGHUP: the terminal was closed; asks a daemon to reload its settings. By default it
    /// ends the process.
    pub const fn hangup() -> SignalKind {
        SignalKind(consts::SIGHUP)
    }

    /// Returns SIGINT: Ctrl-C. By default it ends the process.
    pub const fn interrupt() -> SignalKind {
        SignalKind(consts::SIGINT)
    }

    /// Returns SIGIO: a descriptor is ready for an operation. By default it ends the process.
    pub const fn io() -> SignalKind {
        SignalKind(consts::SIGIO)
    }

    /// Returns SIGKILL: ends the process at once. It can be sent, but not listened to.
    pub const fn kill() -> SignalKind {
        SignalKind(consts::SIGKILL)
    }

    /// Returns SIGPIPE: the process wrote to a pipe or socket whose reading end is closed. By
    /// default it ends the process, but Rust programs ignore it from their start.
    pub const fn pipe() -> SignalKind {
        SignalKind(consts::SIGPIPE)
    }

    /// Returns SIGQUIT: Ctrl-\\. By default it ends the process with a core dump.
    pub const fn quit() -> SignalKind {
        SignalKind(consts::SIGQUIT)
    }

    /// Returns SIGTERM: asks the process to end. By default it ends the process.
    pub const fn terminate() -> SignalKind {
        SignalKind(consts::SIGTERM)
    }

    /// Returns SIGUSR1: the program defines its meaning. By default it ends the process.
    pub const fn user_defined1() -> SignalKind {
        SignalKind(consts::SIGUSR1)
    }

    /// Returns SIGUSR2: the program defines its meaning. By default it ends the process.
    pub const fn user_defined2() -> SignalKind {
        SignalKind(consts::SIGUSR2)
    }

    /// Returns SIGWINCH: the size of the terminal has changed. By default it has no effect.
    pub const fn window_change() -> SignalKind {
        SignalKind(consts::SIGWINCH)
    }

    /// Returns the reason if a program cannot listen for it.
    pub(super) fn forbidden_reason(self) -> Option<&'static str> {
        match self.0 {
            consts::SIGKILL | consts::SIGSTOP => {
                Some("the system does not let a program handle it")
            }
            number if consts::FORBIDDEN.contains(&number) => {
                Some("it reports a fault of the current instruction")
            }
            _ => None,
        }
    }
}

impl From<i32> for SignalKind {
    fn from(number: i32) -> SignalKind {
        SignalKind(number)
    }
}

impl fmt::Display for SignalKind {
    /// Writes its name, or `signal 40` if it has none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match signal_name(self.0) {
            Some(name) => f.pad(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignalKind({self})")
    }
}
