//! The terminal: colours, its size, single keys. Escape sequences of ECMA-48.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// The size of a page of a terminal whose size is unknown.
const COLUMNS: usize = 100;
const LINES: usize = 24;

/// Standard output, and how to write on it.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    has_colors: bool,
    is_terminal: bool,
}

impl Style {
    /// Colours are used on a terminal only, and not if `NO_COLOR` is set (no-color.org).
    pub(crate) fn of_stdout() -> Style {
        let is_terminal = io::stdout().is_terminal();
        let is_refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Style { has_colors: is_terminal && !is_refused, is_terminal }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.has_colors { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn alarm(&self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// How wide a line may be. Lines for another program are not cut.
    pub(crate) fn columns(&self) -> usize {
        if self.is_terminal { size().0 } else { usize::MAX }
    }
}

/// Returns the columns and lines of the terminal.
pub(crate) fn size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (COLUMNS, LINES),
    }
}

/// The terminal as a page of its own, with single keys. The drop restores it.
pub(crate) struct Screen {
    before: Option<Termios>,
}

/// What happened while the program waited for a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Key {
    /// `q`, Ctrl-C, Ctrl-D, or the terminal is gone.
    Quit,
    Other(u8),
    None,
}

impl Screen {
    /// Switches to the second page. Keys arrive one by one; so does Ctrl-C, which thus cannot end
    /// the program before the terminal is restored.
    pub(crate) fn new() -> io::Result<Screen> {
        let stdin = io::stdin();
        let before = tcgetattr(&stdin).ok();
        if let Some(before) = &before {
            let mut modes = before.clone();
            modes.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
            tcsetattr(&stdin, OptionalActions::Now, &modes)?;
        }
        let screen = Screen { before };
        write!(io::stdout(), "\x1b[?1049h\x1b[?25l")?;
        Ok(screen)
    }

    /// Replaces what the page shows. Each line must fit. Lines that do not change do not flicker.
    pub(crate) fn show(&self, lines: &[String]) -> io::Result<()> {
        let mut page = String::from("\x1b[H");
        for (at, line) in lines.iter().enumerate() {
            page += if at == 0 { "" } else { "\r\n" };
            page += line;
            page += "\x1b[K";
        }
        page += "\x1b[J";
        let mut stdout = io::stdout();
        stdout.write_all(page.as_bytes())?;
        stdout.flush()
    }

    /// Waits for a key, for this long at most: less than a second.
    pub(crate) fn key(&self, limit: Duration) -> Key {
        let stdin = io::stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        let limit = Timespec { tv_sec: 0, tv_nsec: limit.subsec_nanos().into() };
        match poll(&mut fds, Some(&limit)) {
            Ok(0) | Err(_) => return Key::None,
            Ok(_) => {}
        }
        // Not by std, whose buffer poll(2) does not see.
        let mut byte = [0];
        match rustix::io::read(&stdin, &mut byte) {
            Ok(0) => Key::Quit,
            Ok(_) if matches!(byte[0], b'q' | b'Q' | 3 | 4) => Key::Quit,
            Ok(_) => Key::Other(byte[0]),
            Err(_) => Key::None,
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = write!(io::stdout(), "\x1b[?25h\x1b[?1049l");
        let _ = io::stdout().flush();
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Now, before);
        }
    }
}
