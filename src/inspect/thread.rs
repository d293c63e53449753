//! The start of the watching thread, and its loop.
//!
//! One thread serves all loops of the process. It is started by the first loop that needs it, and
//! stays. The socket exists while a loop exists that answers on it. Invariant: a failure is a line
//! on stderr: the loops run without the thread.

use std::io;
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::holds::{Holds, report};
use super::server::{Bell, Server, Socket};
use crate::threads::{Watch, registry, start_thread};

static STATE: Mutex<State> = Mutex::new(State { process: 0, bell: None, socket: None });

struct State {
    /// The process that started the thread: a fork has none.
    process: u32,
    /// Wakes the thread. `None`: it was not started.
    bell: Option<Bell>,
    socket: Option<Socket>,
}

/// Has the thread watch the loops of the process. The caller has registered a loop with a beacon.
pub(crate) fn start(watch: Watch) {
    let mut state = lock();
    if state.process != process::id() {
        // After a fork the socket is the parent's: it is not removed.
        std::mem::forget(state.socket.take());
        (state.process, state.bell) = (process::id(), None);
    }
    if let Err(error) = state.start_thread() {
        return report(format_args!("no thread can watch the loops: {error}"));
    }
    if watch.is_listening && state.socket.is_none() {
        match state.bell.as_ref().map_or_else(|| Err(io::ErrorKind::Other.into()), Socket::open) {
            Ok(socket) => state.socket = Some(socket),
            Err(error) => report(format_args!("no program can look at the loops: {error}")),
        }
    } else if let Some(bell) = &state.bell {
        // The thread has one more loop to watch.
        bell.ring();
    }
}

/// Removes the socket if no loop is left that answers on it. Called at the end of a loop.
pub(crate) fn end() {
    let mut state = lock();
    let is_listening = |watch: Watch| watch.is_listening;
    let beacons = registry::watched();
    let mut settings =
        beacons.iter().filter_map(|inbox| Some(inbox.info.beacon.as_ref()?.settings));
    if state.process == process::id() && !settings.any(is_listening) {
        state.socket = None;
    }
}

impl State {
    fn start_thread(&mut self) -> io::Result<()> {
        if self.bell.is_some() {
            return Ok(());
        }
        let (server, bell) = Server::new()?;
        let thread = thread::Builder::new().name("evloop-inspect".into());
        start_thread(thread, Box::new(move || run(server)))?;
        self.bell = Some(bell);
        Ok(())
    }
}

fn run(mut server: Server) {
    let mut holds = Holds::default();
    loop {
        let due = holds.check();
        server.turn(due);
    }
}

fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}
