//! Wakes the watching thread from any other, and hands it the socket to listen to.
//!
//! Invariant: ringing never waits.

use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};

/// Wakes the thread from any other.
#[derive(Clone)]
pub(super) struct Bell(Arc<Shared>);

struct Shared {
    writer: UnixStream,
    /// The listener that the thread is to use from now on, or `None`; taken by the thread.
    change: Mutex<Option<Option<UnixListener>>>,
}

impl Bell {
    /// Makes a bell, and the socket that is readable after it rang.
    pub(super) fn new() -> io::Result<(Bell, UnixStream)> {
        let (rings, writer) = UnixStream::pair()?;
        rings.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok((Bell(Arc::new(Shared { writer, change: Mutex::new(None) })), rings))
    }

    /// Takes what [`set_listener`](Bell::set_listener) has set since the last call.
    pub(super) fn take_change(&self) -> Option<Option<UnixListener>> {
        self.0.change.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Wakes the thread, or ends its next wait at once.
    pub(super) fn ring(&self) {
        // If the buffer is full, the thread wakes anyway.
        let _ = (&self.0.writer).write(&[0]);
    }

    /// Has the thread listen to another socket, or to none.
    pub(super) fn set_listener(&self, listener: Option<UnixListener>) {
        *self.0.change.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener);
        self.ring();
    }
}
