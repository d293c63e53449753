//! What the system knows about a thread of the process: whether it computes, or where it is
//! blocked. Linux and Android: `/proc/self/task`.

use std::fs;
use std::io;

/// The length of a tick of the times in `stat`: the same on all systems that matter.
const TICK_MS: u64 = 10;

/// The state of a thread.
#[derive(Debug)]
pub(super) struct ThreadState {
    /// `R`: it runs or could run; `S`: it sleeps; `D`: it waits for a device.
    pub(super) state: char,
    /// The function of the kernel in which it is blocked, if the system reports it.
    pub(super) wchan: Option<String>,
    /// The number of the system call in which it is.
    pub(super) syscall: Option<String>,
    pub(super) cpu_ms: u64,
}

/// Returns the state of the thread that the system calls `thread`.
pub(super) fn thread(thread: u32) -> Option<ThreadState> {
    read(thread).ok().flatten()
}

/// Like [`thread`]. An error is that of the system: no descriptor may be left.
pub(super) fn read(thread: u32) -> io::Result<Option<ThreadState>> {
    let file = |name: &str| fs::read_to_string(format!("/proc/self/task/{thread}/{name}"));
    let stat = file("stat")?;
    // The name of the thread, in parentheses, may contain anything.
    let Some((_, fields)) = stat.rsplit_once(')') else { return Ok(None) };
    let mut fields = fields.split(' ').skip(1);
    let state = fields.next().and_then(|state| state.chars().next()).unwrap_or('?');
    let times = fields.skip(10).take(2).filter_map(|time| time.parse::<u64>().ok());
    let cpu_ms = times.sum::<u64>() * TICK_MS;
    let first_word = |text: String| {
        let word = text.split_whitespace().next().unwrap_or_default();
        (!matches!(word, "" | "0" | "running" | "-1")).then(|| word.to_owned())
    };
    // Only the owner of the process may read these two, and not on all systems.
    let wchan = file("wchan").ok().and_then(first_word);
    let syscall = file("syscall").ok().and_then(first_word);
    Ok(Some(ThreadState { state, wchan, syscall, cpu_ms }))
}

impl ThreadState {
    pub(super) fn is_computing(&self) -> bool {
        self.state == 'R'
    }

    /// Returns where the thread is blocked.
    pub(super) fn place(&self) -> String {
        let function = self.wchan.as_deref().unwrap_or("the system");
        match &self.syscall {
            Some(number) => format!("{function} (system call {number})"),
            None => function.to_owned(),
        }
    }
}
