//! Debug mode: reports on stderr what is allowed but probably a mistake.
//!
//! Invariant: outside debug mode nothing is recorded, and each check costs one load.

use std::cell::Cell;
use std::fmt::{self, Write};

/// The bytes of a name that other threads see. Names may come from a program's own clients.
const NAME_MAX: usize = 1024;

/// What the loop that is in a turn on this thread records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Off,
    /// Which task holds a lock, and which waits for it.
    Locks,
    /// The same, and mistakes are reported.
    Debug,
}

/// Restores the previous mode when it is dropped.
pub(crate) struct ModeGuard(Mode);

thread_local! {
    static MODE: Cell<Mode> = const { Cell::new(Mode::Off) };
}

/// Sets the mode until the returned guard is dropped.
pub(crate) fn set(mode: Mode) -> ModeGuard {
    ModeGuard(MODE.replace(mode))
}

/// Returns whether mistakes are reported.
pub(crate) fn is_on() -> bool {
    MODE.get() == Mode::Debug
}

/// Returns whether locks are recorded.
#[inline]
pub(super) fn records_locks() -> bool {
    MODE.get() != Mode::Off
}

/// A name in a message. Control characters are escaped: a name may come from a client of the
/// program, and a message is a line on a terminal.
pub(crate) struct Name<'a>(pub(crate) &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c.is_control() {
                true => write!(f, "{}", c.escape_default())?,
                false => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Returns the part of a name that other threads see.
pub(crate) fn shown(name: &str) -> &str {
    if name.len() <= NAME_MAX {
        return name;
    }
    let is_end = |end: &usize| name.is_char_boundary(*end);
    let end = (0..=NAME_MAX).rev().find(is_end).unwrap_or(0);
    &name[..end]
}

/// Writes a message to stderr.
pub(crate) fn report(message: fmt::Arguments<'_>) {
    eprintln!("evloop: {message}");
}

impl Drop for ModeGuard {
    fn drop(&mut self) {
        MODE.set(self.0);
    }
}
