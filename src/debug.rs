//! L0: debug mode: telling, on stderr, of what is allowed and likely a mistake.

use std::cell::Cell;
use std::fmt;

/// The mode is as it was when this is dropped.
pub(crate) struct Before(bool);

thread_local! {
    /// The loop that is in a turn on this thread is in debug mode.
    static IS_ON: Cell<bool> = const { Cell::new(false) };
}

/// Turns the mode on or off, until what it returns is dropped.
pub(crate) fn set(is_on: bool) -> Before {
    Before(IS_ON.replace(is_on))
}

pub(crate) fn is_on() -> bool {
    IS_ON.get()
}

/// Tells the user.
pub(crate) fn say(message: fmt::Arguments<'_>) {
    eprintln!("evloop: {message}");
}

impl Drop for Before {
    fn drop(&mut self) {
        IS_ON.set(self.0);
    }
}
