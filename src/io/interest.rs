//! The states that an operation on a descriptor or socket waits for.

use std::fmt;
use std::ops::BitOr;

use crate::reactor::Direction;

/// A set of states of a descriptor or socket: those to wait for, or those found.
///
/// The names are those of tokio's `Interest`; the states are those of poll(2).
///
/// ```
/// use evloop::io::Interest;
///
/// let both = Interest::READABLE | Interest::WRITABLE;
/// assert!(both.is_readable() && both.is_writable() && !both.is_error());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interest(u8);

impl Interest {
    /// A read would not wait: bytes, the end of stream or an error are available (POLLIN).
    pub const READABLE: Interest = Interest(1);
    /// A write would not wait: there is capacity, or an error (POLLOUT).
    pub const WRITABLE: Interest = Interest(2);
    /// Urgent data is available, or a change that the system reports like it (POLLPRI). Linux.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub const PRIORITY: Interest = Interest(PRIORITY);
    /// There is an error, or an entry in the error queue of a socket (POLLERR).
    pub const ERROR: Interest = Interest(8);

    #[cfg(unix)]
    pub(super) const NOTHING: Interest = Interest(0);

    /// Returns the states of both sets; `|` does the same.
    #[must_use]
    pub const fn add(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }

    /// Returns the states of this set that are not in `other`, or `None` if none is left.
    ///
    /// ```
    /// use evloop::io::Interest;
    ///
    /// let both = Interest::READABLE | Interest::WRITABLE;
    /// assert_eq!(both.remove(Interest::READABLE), Some(Interest::WRITABLE));
    /// assert_eq!(both.remove(both), None);
    /// ```
    #[must_use]
    pub const fn remove(self, other: Interest) -> Option<Interest> {
        match self.0 & !other.0 {
            0 => None,
            rest => Some(Interest(rest)),
        }
    }

    /// Returns whether every state of `other` is in this set.
    pub const fn contains(self, other: Interest) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns whether [`READABLE`](Interest::READABLE) is in the set.
    pub const fn is_readable(self) -> bool {
        self.0 & Interest::READABLE.0 != 0
    }

    /// Returns whether [`WRITABLE`](Interest::WRITABLE) is in the set.
    pub const fn is_writable(self) -> bool {
        self.0 & Interest::WRITABLE.0 != 0
    }

    /// Returns whether `PRIORITY` is in the set.
    pub const fn is_priority(self) -> bool {
        self.0 & PRIORITY != 0
    }

    /// Returns whether [`ERROR`](Interest::ERROR) is in the set.
    pub const fn is_error(self) -> bool {
        self.0 & Interest::ERROR.0 != 0
    }

    /// Returns the directions in which an operation that waits for these states moves bytes.
    pub(crate) fn directions(self) -> impl Iterator<Item = Direction> {
        let read = self.is_readable().then_some(Direction::Read);
        read.into_iter().chain(self.is_writable().then_some(Direction::Write))
    }
}

/// The bit of `Interest::PRIORITY`, a constant that only some systems have.
const PRIORITY: u8 = 4;

#[cfg(unix)]
impl Interest {
    /// Returns the states that are in both sets.
    pub(super) const fn and(self, other: Interest) -> Interest {
        Interest(self.0 & other.0)
    }

    /// Returns the states of this set that are not in `other`.
    pub(super) const fn without(self, other: Interest) -> Interest {
        Interest(self.0 & !other.0)
    }

    /// Returns urgent data and errors: the states that no read or write waits for.
    pub(super) const fn special(self) -> Interest {
        Interest(self.0 & (PRIORITY | Interest::ERROR.0))
    }
}

impl BitOr for Interest {
    type Output = Interest;

    fn bitor(self, other: Interest) -> Interest {
        self.add(other)
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let states = [
            (self.is_readable(), "READABLE"),
            (self.is_writable(), "WRITABLE"),
            (self.is_priority(), "PRIORITY"),
            (self.is_error(), "ERROR"),
        ];
        let mut separator = "";
        for (_, name) in states.iter().filter(|(is_in, _)| *is_in) {
            f.write_str(separator)?;
            f.write_str(name)?;
            separator = " | ";
        }
        if separator.is_empty() { f.write_str("NOTHING") } else { Ok(()) }
    }
}
