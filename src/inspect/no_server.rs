//! Systems without Unix sockets: the names of `server`, for a thread that only runs the watchdog.

use std::io;
use std::thread::{self, Thread};
use std::time::Duration;

use crate::clock;

/// Wakes the thread. Made before the thread: it learns it by its first wait.
#[derive(Clone)]
pub(super) struct Bell(std::sync::Arc<std::sync::OnceLock<Thread>>);

/// Never made.
pub(super) enum Socket {}

pub(super) struct Server(Bell);

impl Bell {
    /// Wakes the thread, or ends its next wait at once.
    pub(super) fn ring(&self) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}

impl Socket {
    pub(super) fn open(_: &Bell) -> io::Result<Socket> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "inspecting a loop is not supported on this system, which has no Unix sockets",
        ))
    }
}

impl Server {
    pub(super) fn new() -> io::Result<(Server, Bell)> {
        let bell = Bell(std::sync::Arc::default());
        Ok((Server(bell.clone()), bell))
    }

    /// Waits until `due`, or until the bell rings.
    pub(super) fn turn(&mut self, due: Option<u64>) {
        if self.0.0.set(thread::current()).is_ok() {
            // A ring before this was lost: look again.
            return;
        }
        match due {
            None => thread::park(),
            Some(due) => {
                let left = due.saturating_sub(clock::shared().nanos());
                thread::park_timeout(Duration::from_nanos(left));
            }
        }
    }
}
