//! Which signal.

use std::fmt;

use signal_hook::consts;
use signal_hook::low_level::signal_name;

/// A signal, by its number.
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
    /// The signal of this number. Whether there is one shows when it is used.
    pub const fn from_raw(number: i32) -> SignalKind {
        SignalKind(number)
    }

    /// Its number.
    pub const fn as_raw(self) -> i32 {
        self.0
    }

    /// SIGALRM: a timer of the process ran out. By default it ends the process.
    pub const fn alarm() -> SignalKind {
        SignalKind(consts::SIGALRM)
    }

    /// SIGCHLD: a child process ended, stopped or went on. By default it does nothing.
    pub const fn child() -> SignalKind {
        SignalKind(consts::SIGCHLD)
    }

    /// SIGHUP: the terminal went away; asks a daemon to read its settings anew. By default it ends
    /// the process.
    pub const fn hangup() -> SignalKind {
        SignalKind(consts::SIGHUP)
    }

    /// SIGINT: Ctrl-C. By default it ends the process.
    pub const fn interrupt() -> SignalKind {
        SignalKind(consts::SIGINT)
    }

    /// SIGKILL: ends the process at once. It can be sent, but not listened to.
    pub const fn kill() -> SignalKind {
        SignalKind(consts::SIGKILL)
    }

    /// SIGPIPE: it wrote to a pipe or socket that nobody reads. By default it ends the process, but
    /// Rust programs begin with it ignored.
    pub const fn pipe() -> SignalKind {
        SignalKind(consts::SIGPIPE)
    }

    /// SIGQUIT: Ctrl-\\. By default it ends the process with a core dump.
    pub const fn quit() -> SignalKind {
        SignalKind(consts::SIGQUIT)
    }

    /// SIGTERM: asks the process to end. By default it ends the process.
    pub const fn terminate() -> SignalKind {
        SignalKind(consts::SIGTERM)
    }

    /// SIGUSR1: means what the program says. By default it ends the process.
    pub const fn user_defined1() -> SignalKind {
        SignalKind(consts::SIGUSR1)
    }

    /// SIGUSR2: means what the program says. By default it ends the process.
    pub const fn user_defined2() -> SignalKind {
        SignalKind(consts::SIGUSR2)
    }

    /// SIGWINCH: the terminal has another size. By default it does nothing.
    pub const fn window_change() -> SignalKind {
        SignalKind(consts::SIGWINCH)
    }

    /// Why it cannot be listened to, if it cannot.
    pub(super) fn forbidden(self) -> Option<&'static str> {
        match self.0 {
            consts::SIGKILL | consts::SIGSTOP => Some("the system lets no program handle it"),
            number if consts::FORBIDDEN.contains(&number) => {
                Some("it tells of a fault of the very instruction that runs")
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
    /// Its name, or `signal 40` if it has none.
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
