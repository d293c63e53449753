//! One who listens for a signal.

use std::fmt;
use std::io::{self, Read};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_core::Stream;
use mio::unix::pipe::{self, Receiver};
use signal_hook::{SigId, low_level};

use super::defaults;
use super::kind::SignalKind;
use crate::reactor::{Direction, Done, Reactor, Socket, WaiterKey};

/// Waits for a signal, again and again; made by [`unix`](super::unix). A `Stream` that never ends.
///
/// Signals that come before the listener is awaited wait for it; as the system has it, several of
/// them may count as one.
#[must_use = "the signal is listened to until this is dropped"]
pub struct Listener {
    socket: Socket<Receiver>,
    kind: SignalKind,
    handler: SigId,
    /// The place of who polls it as a stream.
    key: WaiterKey,
}

impl Listener {
    pub(super) fn new(kind: SignalKind, reactor: Rc<Reactor>) -> io::Result<Listener> {
        let number = kind.as_raw();
        let invalid = |sentence| io::Error::new(io::ErrorKind::InvalidInput, sentence);
        if let Some(why) = kind.forbidden() {
            return Err(invalid(format!("{kind} cannot be listened to: {why}")));
        }
        if number <= 0 {
            return Err(invalid(format!("{number} is no signal's number")));
        }
        let (writer, reader) = pipe::new()?;
        let socket = Socket::new(reader, reactor, true)?;
        let handler = defaults::listen(number, || low_level::pipe::register(number, writer));
        let handler = handler.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => invalid(format!("{number} is no signal's number")),
            _ => error,
        })?;
        Ok(Listener { socket, kind, handler, key: WaiterKey::default() })
    }

    /// Waits for the signal.
    ///
    /// # Errors
    ///
    /// Only after the listener's loop has ended.
    ///
    /// # Cancel safety
    ///
    /// No signal is lost: one that came stays until it is received.
    pub async fn recv(&mut self) -> io::Result<()> {
        self.socket.io(Direction::Read, drain).await
    }

    /// Completes once the signal has come, and takes it.
    pub(super) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_io(Direction::Read, cx, &mut self.key, drain)
    }

    /// What it listens for.
    pub fn kind(&self) -> SignalKind {
        self.kind
    }
}

/// Takes in all signals that have come.
fn drain(mut io: &Receiver) -> io::Result<Done<()>> {
    let mut buf = [0; 256];
    let mut n = io.read(&mut buf)?;
    while n == buf.len() {
        n = match io.read(&mut buf) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // They were drained to the last.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            read => read?,
        };
    }
    Ok(Done { value: (), short: n > 0 })
}

impl Stream for Listener {
    type Item = io::Result<()>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_recv(cx).map(Some)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        defaults::leave(self.kind.as_raw(), self.handler);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("kind", &self.kind).finish_non_exhaustive()
    }
}
