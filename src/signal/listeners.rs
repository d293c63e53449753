//! One listener for several signals.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::kind::SignalKind;
use super::listener::Listener;
use crate::context;
use crate::current::leaf;

/// Waits for any of several signals, repeatedly, and returns which came; made by [`unix_many()`].
/// It is also a `Stream`, which never ends.
///
/// Each signal is stored as a [`Listener`] stores it. Signals of one kind that come before the
/// listener is awaited may count as one; signals of different kinds are all returned, but not
/// always in the order in which they came. No kind keeps the others waiting: the kind after the one
/// that was returned last is looked at first.
#[must_use = "the listener receives its signals until it is dropped"]
pub struct Listeners {
    listeners: Vec<Listener>,
    /// The index of the listener that is polled first.
    first: usize,
}

/// Listens for several signals, from this call until the listener is dropped. A kind that is passed
/// twice counts once. Everything else is as with [`unix`](super::unix()).
///
/// # Errors
///
/// As [`unix`](super::unix()), if one of the signals cannot be listened to. Kind `InvalidInput` if
/// `kinds` is empty.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// use evloop::signal::{self, SignalKind};
///
/// evloop::block_on(async {
///     let ends = [SignalKind::interrupt(), SignalKind::terminate()];
///     let mut signals = signal::unix_many(ends)?;
///     let me = rustix::process::getpid();
///     rustix::process::kill_process(me, rustix::process::Signal::TERM)?;
///     assert_eq!(signals.recv().await?, SignalKind::terminate());
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn unix_many(kinds: impl IntoIterator<Item = SignalKind>) -> io::Result<Listeners> {
    let reactor = &context::expect("signal::unix_many").reactor;
    let mut listeners: Vec<Listener> = Vec::new();
    for kind in kinds {
        if listeners.iter().all(|listener| listener.kind() != kind) {
            listeners.push(Listener::new(kind, Rc::clone(reactor))?);
        }
    }
    if listeners.is_empty() {
        let sentence = "signal::unix_many was called without a signal: it would wait forever";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, sentence));
    }
    Ok(Listeners { listeners, first: 0 })
}

impl Listeners {
    /// Waits for a signal and returns its kind.
    ///
    /// # Errors
    ///
    /// Only after the listener's loop has ended.
    ///
    /// # Cancel safety
    ///
    /// No signal is lost: a signal is stored until it is received.
    pub fn recv(&mut self) -> impl Future<Output = io::Result<SignalKind>> {
        leaf(move |cx| self.poll_recv(cx))
    }

    /// Returns the kinds of its signals.
    pub fn kinds(&self) -> impl Iterator<Item = SignalKind> + '_ {
        self.listeners.iter().map(Listener::kind)
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<SignalKind>> {
        let count = self.listeners.len();
        for index in (self.first..self.first + count).map(|index| index % count) {
            let listener = &mut self.listeners[index];
            if let Poll::Ready(received) = listener.poll_recv(cx) {
                self.first = (index + 1) % count;
                return Poll::Ready(received.map(|()| listener.kind()));
            }
        }
        Poll::Pending
    }
}

impl Stream for Listeners {
    type Item = io::Result<SignalKind>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_recv(cx).map(Some)
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.kinds()).finish()
    }
}
